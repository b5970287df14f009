"""The frame of the backtest's HTML report."""

from string import Template

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>$title</title>
<style>
:root { color-scheme: light dark; --ink: #111827; --quiet: #5f6775; --line: #8883; --bad: #c62828; --good: #1a7f37;
  --p0: #6b7280; --p1: #2563eb; --p2: #b45309; --p3: #0f766e; --p4: #a21caf; --p5: #4d7c0f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e5e7eb; --quiet: #9aa3af; --bad: #ff7b72; --good: #4cc36b;
  --p0: #9ca3af; --p1: #7aa2ff; --p2: #f0a04b; --p3: #4fd1c5; --p4: #e879f9; --p5: #a3e635; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.45rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem; }
.about, .note { color: var(--quiet); margin-top: 0; }
.advice { border-left: 4px solid var(--good); padding: .1rem .9rem; margin: 1rem 0; } .advice p { margin: .4rem 0; } .take { color: var(--good); font-weight: 600; }
.change { stroke: var(--ink); stroke-dasharray: 1 3; stroke-width: 1.5; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .93em; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
thead th { color: var(--quiet); font-weight: 500; white-space: nowrap; }
td.name { min-width: 9rem; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.words { overflow-wrap: anywhere; min-width: 18rem; } td small { display: block; color: var(--quiet); }
.best { font-weight: 700; } .alarm { color: var(--bad); font-weight: 600; }
svg { width: 100%; height: auto; } .swatch { width: 30px; height: 10px; vertical-align: middle; margin-right: .3rem; }
.grid { stroke: var(--line); } .tick { fill: var(--quiet); font: 11px system-ui, sans-serif; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; } .alert { fill: var(--bad); }
.p0 { stroke: var(--p0); } .p1 { stroke: var(--p1); } .p2 { stroke: var(--p2); } .p3 { stroke: var(--p3); } .p4 { stroke: var(--p4); } .p5 { stroke: var(--p5); }
.done.p0 { fill: var(--p0); } .done.p1 { fill: var(--p1); } .done.p2 { fill: var(--p2); } .done.p3 { fill: var(--p3); } .done.p4 { fill: var(--p4); } .done.p5 { fill: var(--p5); }
.refused { fill: none; stroke-width: 1.5; }
details { margin: .5rem 0; } summary { cursor: pointer; }
.narrow { display: none; }
@media (max-width: 44rem) {
  .narrow { display: block; } .broad, thead { display: none; } table, tbody { display: block; }
  tr { display: flex; flex-wrap: wrap; gap: .1rem .8rem; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  td { border: 0; padding: 0; } td.name, td.words { flex-basis: 100%; min-width: 0; }
  td[data-name]::before { content: attr(data-name) " "; color: var(--quiet); font-weight: 400; }
}
</style>
</head>
<body>
<h1>$title</h1>
<p class="about">$about</p>
$advice
$sentences
<div class="wide"><table>
$table
</table></div>
$charts
<h2>What the policies did</h2>
$turns
<h2>Step by step</h2>
$steps
</body>
</html>
""")
