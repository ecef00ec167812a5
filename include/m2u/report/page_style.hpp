// SPDX-License-Identifier: Apache-2.0
/// @file
/// The style sheet of HtmlPage.
#pragma once

#include <string_view>

namespace m2u::detail {

/// Text has a contrast of at least 4.5:1 in both schemes. Wide tables scroll in their own
/// container, so that the page itself never scrolls sideways.
inline constexpr std::string_view page_style = R"(
:root{color-scheme:light dark;--ground:#f4f6f8;--card:#fff;--text:#1b2027;--muted:#57606a;
--line:#d5dae1;--accent:#0b5cad;--strong:#e8f1fb;--shade:#1b202740}
@media (prefers-color-scheme:dark){:root{--ground:#12161b;--card:#1b2027;--text:#e6eaef;
--muted:#a3adb8;--line:#39424d;--accent:#7cb8f5;--strong:#1f2f42;--shade:#000a}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--text);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:break-word}
header,main,footer{max-width:70rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2rem}
h1{font-size:clamp(1.5rem,5vw,2.1rem);line-height:1.2;margin:0 0 .5rem}
h2{font-size:1.35rem;line-height:1.25;margin:0 0 .75rem}
h3{font-size:1.1rem;margin:1.75rem 0 .5rem}
h4{font-size:.95rem;margin:1.1rem 0 .5rem;color:var(--muted)}
p{max-width:46rem;margin:.5rem 0}
.lead{color:var(--muted)}
a{color:var(--accent)}
nav ul{display:flex;flex-wrap:wrap;gap:.3rem 1.25rem;list-style:none;margin:1rem 0 0;padding:0}
nav a{display:inline-block;padding:.2rem 0}
section{margin:1.5rem 0;padding:1.25rem;background:var(--card);border:1px solid var(--line);
border-radius:.75rem}
section>:last-child{margin-bottom:0}
footer{color:var(--muted);font-size:.875rem;padding-bottom:2rem}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,10rem),1fr));gap:.75rem;
margin:.5rem 0}
.facts div{padding:.6rem .8rem;border:1px solid var(--line);border-radius:.5rem;min-width:0}
.facts dt{color:var(--muted);font-size:.8125rem}
.facts dd{margin:0;font-size:1.2rem;font-weight:600;line-height:1.3;overflow-wrap:anywhere;
font-variant-numeric:tabular-nums}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:1.5rem;
margin:1rem 0}
figure{margin:0;min-width:0;max-width:42rem}
figure svg,.drawing svg{display:block;width:100%;height:auto}
figcaption{color:var(--muted);font-size:.875rem;margin-top:.25rem}
/* A shade at an edge says that there is more behind it: it stays, while its cover scrolls along. */
.scroll{overflow-x:auto;margin:.75rem 0;border:1px solid var(--line);border-radius:.5rem;
background:linear-gradient(to right,var(--card) 50%,transparent) left/2.5rem 100% no-repeat local,
linear-gradient(to left,var(--card) 50%,transparent) right/2.5rem 100% no-repeat local,
linear-gradient(to right,var(--shade),transparent) left/1rem 100% no-repeat,
linear-gradient(to left,var(--shade),transparent) right/1rem 100% no-repeat}
table{border-collapse:collapse;width:100%;font-size:.9rem}
caption{text-align:left;padding:.5rem .75rem;color:var(--muted);font-size:.875rem}
th,td{padding:.4rem .75rem;border-top:1px solid var(--line);text-align:left;vertical-align:top}
thead th{border-top:0;vertical-align:bottom;color:var(--muted);font-weight:600}
caption+thead th{border-top:1px solid var(--line)}
tbody th{font-weight:500}
.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
tr.strong>*{background:var(--strong);font-weight:600}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,11.5rem),1fr));
gap:.75rem;list-style:none;margin:.75rem 0;padding:0}
.cards li{display:flex;flex-direction:column;border:1px solid var(--line);border-radius:.5rem;
overflow:hidden;min-width:0}
.cards li.strong{border:2px solid var(--accent)}
.cards li:only-child{grid-column:1/-1;flex-direction:row;flex-wrap:wrap}
.cards li:only-child .drawing{flex:0 1 15rem}
.cards li:only-child .about{flex:1 1 15rem}
.about{padding:.5rem .7rem .6rem;min-width:0;overflow-wrap:anywhere}
.about p{margin:0 0 .1rem}
.about .title{font-weight:600}
.about .line{font-size:.8125rem;line-height:1.45;color:var(--muted)}
.drawing{color-scheme:light;background:#fff;color:#1b2027;padding:.25rem}
figure .drawing{border:1px solid var(--line);border-radius:.5rem}
.none{aspect-ratio:5/4;display:grid;place-items:center;font-size:.8125rem;color:#57606a}
summary{cursor:pointer;color:var(--accent);padding:.35rem 0}
pre{margin:.5rem 0;padding:.75rem;overflow-x:auto;border:1px solid var(--line);border-radius:.5rem;
background:var(--ground);font:.8125rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
@media (max-width:30rem){header,main,footer{padding-left:.75rem;padding-right:.75rem}
section{padding:1rem .85rem}.cards,.facts{grid-template-columns:repeat(2,minmax(0,1fr))}
.cards{gap:.5rem}.cards li:only-child .drawing{flex-basis:100%}
.cards li:only-child .drawing svg{max-width:17rem;margin:0 auto}}
@media print{body{background:#fff}section,figure,.cards li,tr{break-inside:avoid}nav{display:none}}
)";

}  // namespace m2u::detail
