//! Plots of time against a size, both axes logarithmic.

use std::path::Path;

use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::{contender::Result, growth::Line};

const INK: RGBColor = RGBColor(51, 51, 51);
const GRID: RGBColor = RGBColor(228, 228, 228);

/// Of the lines by name: ours, the peers', the peak.
fn color(name: &str) -> RGBColor {
    match name {
        "fnn-std" => RGBColor(0, 90, 181),
        "CasADi, C" => RGBColor(213, 94, 0),
        _ => RGBColor(130, 130, 130),
    }
}

/// Writes the plot as SVG.
pub(crate) fn draw(file: &Path, along: &str, axis: &str, lines: &[Line]) -> Result<()> {
    let all = || lines.iter().flat_map(|line| &line.points);
    let sizes: Vec<f64> = lines
        .first()
        .map(|line| line.points.iter().map(|(size, _)| *size).collect())
        .unwrap_or_default();
    let (Some(&least), Some(&most)) = (sizes.first(), sizes.last()) else {
        return Ok(());
    };
    // Room on the right for the names of the lines, and whole powers of ten.
    let right = most * (most / least).powf(0.62);
    let bottom = all().map(|(_, ns)| *ns).fold(f64::INFINITY, f64::min);
    let top = all().map(|(_, ns)| *ns).fold(0.0, f64::max);
    let (bottom, top) = (
        10_f64.powf(bottom.log10().floor()),
        10_f64.powf(top.log10().ceil()),
    );

    let area = SVGBackend::new(file, (720, 440)).into_drawing_area();
    area.fill(&WHITE)?;
    let title = format!("Value and Jacobian: time against {along}");
    area.titled(&title, ("sans-serif", 20).into_font().color(&INK))?;
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .margin_top(48)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d((least * 0.9..right).log_scale(), (bottom..top).log_scale())?;
    chart
        .configure_mesh()
        .disable_mesh()
        .disable_axes()
        .draw()?;

    // The grid by hand: a line at each size that was timed, and at each power of ten.
    let small = ("sans-serif", 14).into_font().color(&INK);
    for &size in &sizes {
        let line = [(size, bottom), (size, top)];
        chart.draw_series(LineSeries::new(line, &GRID))?;
    }
    let mut power = bottom;
    while power <= top * 1.01 {
        let line = [(least * 0.9, power), (most, power)];
        chart.draw_series(LineSeries::new(line, &GRID))?;
        power *= 10.0;
    }
    let plotting = chart.plotting_area();
    let place = |size, ns| plotting.map_coordinate(&(size, ns));
    let text = |text: String, at: (i32, i32), style: TextStyle<'_>, h, v| -> Result<()> {
        area.draw(&Text::new(text, at, style.pos(Pos::new(h, v))))
            .map_err(|error| error.to_string().into())
    };
    for &size in &sizes {
        let (x, y) = place(size, bottom);
        text(
            size.to_string(),
            (x, y + 8),
            small.clone(),
            HPos::Center,
            VPos::Top,
        )?;
    }
    let mut power = bottom;
    while power <= top * 1.01 {
        let (x, y) = place(least * 0.9, power);
        text(
            duration(power),
            (x - 8, y),
            small.clone(),
            HPos::Right,
            VPos::Center,
        )?;
        power *= 10.0;
    }
    let (middle, below) = place((least * most).sqrt(), bottom);
    text(
        axis.to_owned(),
        (middle, below + 30),
        small.clone(),
        HPos::Center,
        VPos::Top,
    )?;

    // The name of a line beside its end, moved where names would overlap.
    let mut ends: Vec<_> = lines
        .iter()
        .filter_map(|line| {
            line.points
                .last()
                .map(|&(size, ns)| (line, place(size, ns)))
        })
        .collect();
    ends.sort_by_key(|(_, (_, y))| *y);
    let mut free = i32::MIN;
    for (line, (x, y)) in ends {
        let style = color(line.name).stroke_width(2);
        chart.draw_series(LineSeries::new(line.points.iter().copied(), style))?;
        let points = line.points.iter();
        chart.draw_series(points.map(|&at| Circle::new(at, 3, color(line.name).filled())))?;
        let y = y.max(free);
        free = y + 36;
        let bold = ("sans-serif", 14, FontStyle::Bold)
            .into_font()
            .color(&color(line.name));
        text(
            line.name.to_owned(),
            (x + 12, y - 8),
            bold,
            HPos::Left,
            VPos::Center,
        )?;
        let slope = format!("slope {:.2}", line.slope());
        let style = ("sans-serif", 14).into_font().color(&color(line.name));
        text(slope, (x + 12, y + 8), style, HPos::Left, VPos::Center)?;
    }
    area.present()?;
    Ok(())
}

fn duration(ns: f64) -> String {
    if ns >= 1e6 {
        format!("{:.0} ms", ns / 1e6)
    } else if ns >= 1e3 {
        format!("{:.0} µs", ns / 1e3)
    } else {
        format!("{ns:.0} ns")
    }
}
