"""The frame of the gate's HTML report."""

from string import Template

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>$title</title>
<style>
:root { color-scheme: light dark; --good: #1a7f37; --bad: #c62828; --quiet: #6b7280; --line: #8884; }
@media (prefers-color-scheme: dark) { :root { --good: #4cc36b; --bad: #ff7b72; --quiet: #9aa3af; } }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; border-left: .4rem solid var(--good); padding-left: .7rem; }
h1.fail { border-color: var(--bad); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
tbody th { font-weight: 600; min-width: 9rem; } th:last-child, td:last-child { min-width: 14rem; overflow-wrap: anywhere; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.state { white-space: nowrap; font-weight: 600; }
.pass > .state { color: var(--good); } .fail > .state { color: var(--bad); } .none > .state, .none > td { color: var(--quiet); }
small { display: block; color: var(--quiet); white-space: nowrap; }
.bar { fill: var(--quiet); } .dot { fill: currentColor; } .limit { stroke: var(--bad); stroke-width: 2; stroke-dasharray: 3 2; }
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
<div class="wide"><table>
<thead><tr><th>state<th>check<th>value<th>limit<th>interval (dashed: the limit)<th>why</tr></thead>
<tbody>
$rows</tbody>
</table></div>
</body>
</html>
""")
