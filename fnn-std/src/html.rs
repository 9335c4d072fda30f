//! A check as a page that needs nothing beside it: what `fnn check --report` writes.

use std::{fmt::Write as _, io::Write as _, path::Path};

use crate::{
    check::{DECIDES, FRAMEWORK_ERROR, Report, TYPICAL, Verdict, percent, short},
    error::Result,
    figure::{Figure, Kind},
    file::{self, Draft},
    line::visible,
};

/// What the name of a page's file may end in.
pub(crate) const ENDINGS: &[&str] = &["html", "htm"];

/// Writes the page to the file at `path`, which appears whole or not at all.
///
/// # Errors
/// A name that does not end in `.html`, or a file that cannot be written.
pub fn write(report: &Report, path: &Path) -> Result<()> {
    file::ending(path, ENDINGS)?;
    let page = page(report)?;
    let mut draft = Draft::new(path)?;
    draft
        .write_all(page.as_bytes())
        .map_err(|e| draft.cannot_write(e))?;
    draft.finish()
}

/// The page.
///
/// # Errors
/// A figure that cannot be drawn.
pub fn page(report: &Report) -> Result<String> {
    let model = &report.model;
    let file = model.source().map_or("a model", |source| &source.file);
    let verdict = report.verdict();
    let mut page = String::new();
    let sizes: Vec<_> = model.sizes().iter().map(usize::to_string).collect();
    let _ = write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{verdict}: {name}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>{name} <span class=\"{class}\">{verdict}</span></h1>\n\
         <p>{sizes}, {parameters} parameters. {rows} rows, {source}; evaluated in {precision}, order \
         of accumulation {order}.</p>\n",
        name = escaped(file),
        class = class(verdict),
        sizes = sizes.join(" → "),
        parameters = model.parameters(),
        rows = report.inputs.len(),
        source = escaped(&report.source),
        precision = report.precision,
        order = report.order,
    );
    for sentences in [&report.reservations(), model.notes()] {
        if sentences.is_empty() {
            continue;
        }
        page += "<ul>\n";
        for sentence in sentences {
            let _ = writeln!(page, "<li>{}</li>", escaped(sentence));
        }
        page += "</ul>\n";
    }
    page += "<table>\n<thead><tr><th></th><th>compared with</th><th>numbers</th><th>left out</th>\
             <th>undecided</th><th>most ulp</th><th>worst: share of what is allowed, where, how far</th></tr></thead>\n\
             <tbody>\n";
    for comparison in &report.comparisons {
        let verdict = comparison.verdict();
        let worst = match &comparison.worst {
            Some(worst) if worst.share > 0.0 => escaped(&report.place(worst)),
            Some(_) => "equal".to_owned(),
            None => "nothing decides".to_owned(),
        };
        let _ = writeln!(
            page,
            "<tr><td class=\"{}\">{verdict}</td><td>{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{worst}</td></tr>",
            class(verdict),
            escaped(&comparison.name),
            comparison.compared,
            comparison.left_out,
            comparison.undecided,
            short(comparison.largest_ulps),
        );
    }
    let _ = writeln!(
        page,
        "</tbody>\n</table>\n<p class=\"note\">Distances are in units in the last place (ulp) of {} at \
         the largest magnitude that the same output or derivative has over the rows. What is allowed \
         follows from an error analysis: what rounding may do on both sides, for central differences \
         what truncation may do, and for the framework's numbers activations that are off by up to \
         {FRAMEWORK_ERROR} half ulp, but no more than {TYPICAL} times what f32 is typically off \
         here. Of differences and the framework's Jacobian a number is undecided where more than {} of \
         the largest effect on its output is allowed: it proves nothing.</p>",
        report.precision,
        percent(DECIDES),
    );
    for kind in Kind::ALL {
        let figure = Figure::new(kind, report)?;
        let _ = writeln!(
            page,
            "<figure id=\"{}\">\n{}\n<figcaption>{}</figcaption>\n</figure>",
            kind.name(),
            figure.svg(),
            kind.caption()
        );
    }
    page += "</body>\n</html>\n";
    Ok(page)
}

const STYLE: &str = "\
body{font:15px/1.45 system-ui,sans-serif;color:#282828;max-width:62rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem}\
table{border-collapse:collapse;font-size:13px;width:100%}\
th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #ddd;vertical-align:top}\
.n{text-align:right;white-space:nowrap}\
.pass{color:#00713f}.undecided{color:#8a5a00;font-weight:bold}.fail{color:#b00020;font-weight:bold}\
.note,figcaption{color:#555;font-size:13px}\
figure{margin:2.2rem 0;break-inside:avoid}\
svg{max-width:100%;height:auto}";

/// The class of the style.
fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass | Verdict::InPart => "pass",
        Verdict::Undecided => "undecided",
        Verdict::Fail => "fail",
    }
}

/// Text that is safe to print and in which nothing is markup.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for c in visible(text).chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            c => safe.push(c),
        }
    }
    safe
}
