"""The page of a certification: style and frame. Nothing is loaded, nothing runs; it prints."""

from string import Template

PAGE = Template("""<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>互联认证 $title</title>
<style>
:root { --ink: #1d232b; --dim: #5b6673; --line: #d5dae1; --paper: #ffffff; --soft: #f4f6f8;
        --good: #1a6f3c; --bad: #b3261e; --none: #6a6f76; }
@media (prefers-color-scheme: dark) {
:root { --ink: #e6e9ed; --dim: #a3adb8; --line: #3a424c; --paper: #14181d; --soft: #1d232a;
        --good: #6fd08f; --bad: #ff8a80; --none: #a9b0b8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
       font: 16px/1.6 "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", sans-serif;
       overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.3; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1.05rem; margin: 0 0 .5rem; }
h4 { font-size: .85rem; font-weight: 600; color: var(--dim); margin: .5rem 0 .25rem; }
small { color: var(--dim); font-weight: 400; font-size: .85em; }
td small { display: block; }
.head { border-bottom: 2px solid var(--ink); padding-bottom: 1.25rem; }
.look { margin: .75rem 0 0; padding-left: 1.1rem; list-style: "→ "; } .look li { margin: .2rem 0; }
.head p { margin: .15rem 0; color: var(--dim); }
.tier { font-size: 1.35rem; font-weight: 700; margin: 1rem 0 .1rem !important; color: var(--good) !important; }
.tier.none { color: var(--bad) !important; } .tier.partial { color: var(--dim) !important; }
b.caps { color: var(--bad); font-weight: 600; }
table { width: 100%; border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line); }
th { font-size: .85rem; color: var(--dim); font-weight: 600; }
td:first-child { white-space: nowrap; } td:nth-child(2) { min-width: 16rem; }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; padding-right: 0; }
b.passed { color: var(--good); } b.failed, p.failed { color: var(--bad); } b.not-applicable { color: var(--none); }
a { color: inherit; text-underline-offset: .2em; }
section { border-bottom: 1px solid var(--line); padding: 1.25rem 0; }
ol { padding-left: 1.5rem; margin: .5rem 0; }
li { margin-bottom: .75rem; } li p { margin: .2rem 0; }
pre { background: var(--soft); padding: .6rem .75rem; margin: .25rem 0; font-size: .8rem; line-height: 1.45;
      white-space: pre-wrap; overflow-wrap: anywhere; max-height: 18rem; overflow: auto; }
@media screen and (max-width: 40rem) {  /* a row is a card */
  tr, td { display: block; min-width: 0; } tr:first-child { display: none; }
  tr { border-bottom: 1px solid var(--line); padding: .6rem 0; } td { border: 0; padding: 0; }
  td:nth-child(2) { min-width: 0; }
  td:first-child { color: var(--dim); font-size: .85rem; }
  .n { text-align: left; color: var(--dim); font-size: .85rem; }
  .n::after { content: " s"; } ol { padding-left: 1.1rem; } }
@media print { body { max-width: none; padding: 0; font-size: 12px; } pre { max-height: none; }
  tr { break-inside: avoid-page; } h2, h3, h4 { break-after: avoid-page; }
  :root { color-scheme: light; --ink: #000; --dim: #444;
  --good: #1a6f3c; --bad: #b3261e; --none: #444; --line: #bbb; --paper: #fff; --soft: #f4f4f4; } }
</style>
</head>
<body>
<header class="head">
<h1>互联认证报告 <small>Certification of a connected platform</small></h1>
<p>$title <small>$id</small> · 声明版本 edition $edition
· 文件夹摘要 digest $digest</p>
<p>对端 other side: $other_side · $at</p>
<p class="tier $tier">$tier_words</p>
<p>$counts</p>
$look
</header>
<h2>场景 <small>Scenarios</small></h2>
<table>
<tr><th>级别 tier<th>场景 scenario<th>结果 result<th class="n">秒 s</tr>
$overview</table>
<h2>证据 <small>Evidence</small></h2>
<p><small>报文已脱敏；交换记录是枢纽账上写的结论。
Messages are masked; the journal is what the hub's books say.</small></p>
$details</body>
</html>
""")
