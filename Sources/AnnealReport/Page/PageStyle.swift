/// The style of the pages: light or dark as the system is set, for wide windows and phones.
package enum PageStyle {
    package static let css = """
        :root{--Back:#fff;--Card:#f6f7f9;--Text:#1f2328;--Quiet:#57606a;--Line:#d8dde3;--Grid:#e8eaed;--Link:#0550ae;
        --C0:#0072b2;--C1:#c24e00;--C2:#00805d;--C3:#a8478a;--C4:#2a7fb8;--C5:#8a6100;--C6:#5f6670;--Good:#0072b2;--Bad:#d55e00}
        @media(prefers-color-scheme:dark){:root{--Back:#0f1419;--Card:#171d24;--Text:#e3e7ec;--Quiet:#9aa5b1;--Line:#2c353f;
        --Grid:#222a33;--Link:#79b8ff;--C0:#56b4e9;--C1:#ff8a4c;--C2:#2fc79a;--C3:#e08fc4;--C4:#8cc8f0;--C5:#e6b422;--C6:#9aa5b1;
        --Good:#2f8fd0;--Bad:#e06c1f}}
        *{box-sizing:border-box}
        body{margin:0 auto;max-width:64rem;padding:1.2rem 1rem 4rem;background:var(--Back);color:var(--Text);
        font:16px/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;overflow-wrap:anywhere}
        h1{font-size:1.5rem;line-height:1.25;margin:.2rem 0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}
        a{color:var(--Link)}p{margin:.4rem 0}.quiet{color:var(--Quiet)}
        code,pre{font:13px/1.45 ui-monospace,"DejaVu Sans Mono",monospace}
        pre{background:var(--Card);border:1px solid var(--Line);border-radius:6px;padding:.7rem;overflow:auto;max-height:32rem;
        white-space:pre-wrap}
        .word{display:inline-block;max-width:100%;overflow-wrap:anywhere}
        .state{display:inline-block;border:1px solid var(--Line);border-radius:1rem;padding:0 .7rem;font-size:.85rem;
        white-space:nowrap}
        .state.finished{border-color:var(--C2);color:var(--C2)}.state.running{border-color:var(--C0);color:var(--C0)}
        .state.failed{border-color:var(--Bad);color:var(--Bad)}
        .facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.6rem;margin:1rem 0}
        .facts div{background:var(--Card);border:1px solid var(--Line);border-radius:6px;padding:.5rem .7rem}
        .facts b{display:block;font-size:1.15rem;font-variant-numeric:tabular-nums}.facts span{color:var(--Quiet);font-size:.85rem}
        nav{margin:.8rem 0;display:flex;flex-wrap:wrap;gap:.2rem 1rem}
        .wide{overflow-x:auto;border:1px solid var(--Line);border-radius:6px;max-height:40rem;overflow-y:auto}
        table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
        th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--Grid);vertical-align:top;
        overflow-wrap:break-word;max-width:24rem}td code{display:block;min-width:14rem;overflow-wrap:anywhere}
        th{position:sticky;top:0;background:var(--Card);white-space:nowrap}.n{text-align:right;white-space:nowrap}
        tbody tr:last-child td{border-bottom:0}
        .matrix table{width:auto}.matrix td{text-align:right;min-width:2.4rem}.matrix th{position:static}
        .matrix tbody th{text-align:right}
        .matrix td.g{background:color-mix(in srgb,var(--Good) var(--P),var(--Back))}
        .matrix td.b{background:color-mix(in srgb,var(--Bad) var(--P),var(--Back))}
        figure{margin:1rem 0}figcaption{font-weight:600}
        .chart{outline-offset:4px;touch-action:pan-y}.chart svg{display:block;width:100%;height:auto;overflow:visible}
        .chart text{fill:var(--Quiet);font:12px system-ui,sans-serif}.chart .grid{stroke:var(--Grid)}
        .chart .axis{stroke:var(--Line)}.chart .cursor{stroke:var(--Quiet);stroke-dasharray:3 3}
        .chart path{fill:none;stroke-width:1.8;stroke-linejoin:round}.legend{display:flex;flex-wrap:wrap;gap:.1rem 1rem;font-size:.9rem}
        .legend i{display:inline-block;width:1.1rem;height:.2rem;vertical-align:middle;margin-right:.35rem;border-radius:2px}
        output{display:block;min-height:1.4em;font-size:.9rem;color:var(--Quiet);font-variant-numeric:tabular-nums}
        .pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(7rem,1fr));gap:.7rem}
        .pictures figure{margin:0;font-size:.8rem;line-height:1.3}.pictures img{width:96px;height:96px;object-fit:contain;
        image-rendering:pixelated;background:var(--Card);border-radius:4px}.pictures figcaption{font-weight:400}
        summary{cursor:pointer;font-weight:600;margin:.8rem 0}
        button,select,input{font:inherit;color:inherit;background:var(--Card);border:1px solid var(--Line);border-radius:6px;
        padding:.15rem .6rem}
        :focus-visible{outline:2px solid var(--Link)}
        @media(max-width:36rem){body{padding:.8rem .7rem 3rem}h1{font-size:1.25rem}}
        @media print{.wide,pre{max-height:none;overflow:visible}}
        """
}
