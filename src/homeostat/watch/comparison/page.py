"""The frame of the drift report's HTML page."""

from string import Template

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>$title</title>
<style>
:root { color-scheme: light dark; --good: #1a7f37; --bad: #c62828; --odd: #9a6700; --quiet: #6b7280; --line: #8884; --ours: #8886; --theirs: #2563eb; }
@media (prefers-color-scheme: dark) { :root { --good: #4cc36b; --bad: #ff7b72; --odd: #e3b341; --quiet: #9aa3af; --theirs: #7aa2ff; } }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; border-left: .4rem solid var(--quiet); padding-left: .7rem; overflow-wrap: anywhere; }
h1.ok { border-color: var(--good); } h1.alarm { border-color: var(--bad); } h1.warn { border-color: var(--odd); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
.note { color: var(--quiet); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
thead th { color: var(--quiet); font-weight: 500; }
tbody th { font-weight: 600; min-width: 8rem; max-width: 16rem; overflow-wrap: break-word; } td.words { min-width: 14rem; overflow-wrap: anywhere; }
table table { font-size: .9em; width: auto; } table table td, table table th { border: 0; padding: 0 .7rem .1rem 0; } table table td:first-child { white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.state { white-space: nowrap; font-weight: 600; }
.ok > .state { color: var(--good); } .alarm > .state { color: var(--bad); } .warn > .state { color: var(--odd); } .unknown > .state { color: var(--quiet); }
small { display: block; color: var(--quiet); }
.ours { fill: var(--ours); } .theirs { fill: none; stroke: var(--theirs); stroke-width: 1.5; } .key { vertical-align: middle; }
section { border: 1px solid var(--line); padding: 0 1rem .7rem; margin: 1rem 0; } h2 { font-size: 1.1rem; } figure { display: inline-block; margin: 0 2rem .7rem 0; } figcaption { color: var(--quiet); }
details { margin-top: .3rem; } summary { cursor: pointer; color: var(--quiet); }
@media (max-width: 44rem) {
  .wide > table > thead { display: none; } .wide > table, .wide > table > tbody { display: block; }
  .wide > table > tbody > tr { display: flex; flex-wrap: wrap; gap: .1rem .8rem; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .wide > table > tbody > tr > * { border: 0; padding: 0; } .wide > table > tbody > tr > :empty { display: none; }
  .wide > table > tbody > tr > :last-child { flex-basis: 100%; }
}
</style>
</head>
<body>
<h1 class="$state">$title</h1>
<dl>$facts</dl>
$notes
<p class="note">$key</p>
$answers
<div class="wide"><table>
<thead><tr><th>state<th>column<th>shares of the rows<th>how far (limit), chance<th>why</tr></thead>
<tbody>
$rows</tbody>
</table></div>
</body>
</html>
""")
