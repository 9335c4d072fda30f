//! Figures of a checked model: as SVG, and as pixels.

use std::{io::Write as _, path::Path, sync::Arc};

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use resvg::{tiny_skia, usvg};

use crate::{
    check::{Report, short},
    error::{Error, Result},
    evaluator::{Evaluator, Float},
    file::{self, Draft},
    line::shown,
    model::Precision,
};

/// A figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    svg: String,
}

/// What a figure shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Each output as it was computed against what it must be, the framework's where it is known,
    /// else that of the f64 reference.
    Parity,
    /// How often which distance from the f64 reference occurs, of values and of derivatives.
    Errors,
    /// How strongly each output depends on each input, as a heat map.
    Jacobian,
    /// The derivatives along a straight line through the inputs.
    Path,
}

impl Kind {
    /// All of them, in the order in which a report has them.
    pub const ALL: [Self; 4] = [Self::Parity, Self::Errors, Self::Jacobian, Self::Path];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parity => "parity",
            Self::Errors => "errors",
            Self::Jacobian => "jacobian",
            Self::Path => "path",
        }
    }

    /// What a reader must know to read the figure.
    pub fn caption(self) -> &'static str {
        match self {
            Self::Parity => {
                "Each point is one row of the inputs: what it must be from left to right, what was \
                 computed from bottom to top. On the line both are equal."
            }
            Self::Errors => {
                "Distances from the f64 reference in units in the last place (ulp), at the largest \
                 magnitude that the same output or derivative has over the rows."
            }
            Self::Jacobian => {
                "The mean of |∂ output / ∂ input| over the rows, times the spread of the input over \
                 that of the output: 1 means that the input alone, moved through its range at this \
                 slope, would move the output through its own."
            }
            Self::Path => {
                "Derivatives along the straight line from the smallest to the largest of every input, \
                 each times the spread of its input: the change of the output per range of the input. \
                 The inputs with the strongest ones are named, the others are grey."
            }
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = Error;

    /// # Errors
    /// A name that is none of them.
    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == text);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::refused(format!("the figure `{text}` is none of {names}"))
        })
    }
}

const INK: RGBColor = RGBColor(40, 40, 40);
const GRID: RGBColor = RGBColor(225, 225, 225);
const GREY: RGBColor = RGBColor(170, 170, 170);
const BLUE: RGBColor = RGBColor(0, 90, 160);

/// Colours that people with any kind of sight tell apart, also on paper (Okabe and Ito 2008).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(0, 0, 0),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(120, 94, 60),
];

/// The most outputs that have a panel of their own.
const PANELS: usize = 12;

/// Points on a path.
const POINTS: usize = 200;

/// Units of the coordinates in a pixel: they are whole numbers, and lines are to be smooth.
const FINE: i32 = 8;

/// Pixels of a panel.
const PANEL: (i32, i32) = (320, 260);

/// Pixels above the panels, for the title.
const HEAD: i32 = 40;

/// Pixels of a line of the legend.
const LEGEND: i32 = 20;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// What goes wrong while a figure is drawn: nothing that files or models do.
type Drawn = std::result::Result<(), DrawingAreaErrorKind<std::io::Error>>;

impl Figure {
    /// The figure of this kind.
    ///
    /// # Errors
    /// A model that cannot be evaluated, for the path.
    pub fn new(kind: Kind, report: &Report) -> Result<Self> {
        match kind {
            Kind::Parity => parity(report),
            Kind::Errors => errors(report),
            Kind::Jacobian => jacobian(report),
            Kind::Path => match report.precision {
                Precision::F32 => path::<f32>(report),
                Precision::F64 => path::<f64>(report),
            },
        }
    }

    /// The figure as an SVG document.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// The figure as a PNG file with so many pixels for each unit of the SVG. Its letters are those
    /// of DejaVu Sans on every machine.
    ///
    /// # Errors
    /// A scale that makes no picture, or one that is too large.
    pub fn png(&self, scale: f32) -> Result<Vec<u8>> {
        let cannot = |what: String| Error::refused(format!("no picture can be made: {what}"));
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_font_data(dejavu::sans::regular().to_vec());
        fonts.set_sans_serif_family("DejaVu Sans");
        let options = usvg::Options {
            font_family: "DejaVu Sans".to_owned(),
            fontdb: Arc::new(fonts),
            ..usvg::Options::default()
        };
        let tree = usvg::Tree::from_str(&self.svg, &options).map_err(|e| cannot(e.to_string()))?;
        let size = tree.size().to_int_size().scale_by(scale);
        let picture = size.and_then(|size| tiny_skia::Pixmap::new(size.width(), size.height()));
        let mut picture = picture.ok_or_else(|| cannot(format!("the scale is {scale}")))?;
        let transform = tiny_skia::Transform::from_scale(scale, scale);
        resvg::render(&tree, transform, &mut picture.as_mut());
        picture.encode_png().map_err(|e| cannot(e.to_string()))
    }

    /// Writes the figure to a file, whose name says the format, `.svg` or `.png`; it appears whole or
    /// not at all.
    ///
    /// # Errors
    /// Another name, or a file that cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let png;
        let bytes = match file::ending(path, ENDINGS)? {
            "png" => {
                png = self.png(2.0)?;
                &png
            }
            _ => self.svg.as_bytes(),
        };
        let mut draft = Draft::new(path)?;
        draft.write_all(bytes).map_err(|e| draft.cannot_write(e))?;
        draft.finish()
    }
}

/// What the name of a figure's file may end in.
pub(crate) const ENDINGS: &[&str] = &["svg", "png"];

/// A figure of so many pixels with a title.
fn draw(
    (width, height): (i32, i32),
    title: &str,
    contents: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<Figure> {
    let mut svg = String::new();
    let size = (units(width), units(height));
    let drawn = {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let draw = || -> Drawn {
            area.fill(&WHITE)?;
            text(&area, title, (14, 12), font(17), HPos::Left, VPos::Top)?;
            contents(&area)?;
            area.present()
        };
        draw()
    };
    drawn.map_err(|e| Error::refused(format!("the figure cannot be drawn: {e}")))?;
    // The view box keeps the units, the figure is as large as it was meant to be.
    let svg = svg.replacen(
        &format!("width=\"{}\" height=\"{}\"", size.0, size.1),
        &format!("width=\"{width}\" height=\"{height}\""),
        1,
    );
    Ok(Figure { svg })
}

/// So many pixels in units of the coordinates.
fn units(pixels: i32) -> u32 {
    (pixels.max(0) * FINE) as u32
}

fn font(pixels: i32) -> TextStyle<'static> {
    ("sans-serif", pixels * FINE).into_font().color(&INK)
}

/// A line that is so many pixels wide.
fn line(colour: RGBColor, pixels: f64) -> ShapeStyle {
    ShapeStyle::from(colour).stroke_width((pixels * f64::from(FINE)) as u32)
}

/// Text at a place in pixels, which is the given corner, side or middle of it.
fn text(
    area: &Area<'_>,
    text: &str,
    (x, y): (i32, i32),
    style: TextStyle<'_>,
    h: HPos,
    v: VPos,
) -> Drawn {
    let place = (x * FINE, y * FINE);
    area.draw(&Text::new(
        text.to_owned(),
        place,
        style.pos(Pos::new(h, v)),
    ))
}

/// A rectangle between two corners in pixels.
fn rectangle(area: &Area<'_>, a: (i32, i32), b: (i32, i32), colour: RGBColor) -> Drawn {
    let corners = [(a.0 * FINE, a.1 * FINE), (b.0 * FINE, b.1 * FINE)];
    area.draw(&Rectangle::new(corners, colour.filled()))
}

/// How many panels stand above each other and side by side, and the pixels that all take.
fn grid(panels: usize) -> ((usize, usize), (i32, i32)) {
    let columns = panels.clamp(1, 3);
    let rows = panels.div_ceil(columns).max(1);
    (
        (rows, columns),
        (PANEL.0 * columns as i32, PANEL.1 * rows as i32),
    )
}

/// Axes of a panel: a range that is not empty, with some room at both ends.
fn padded(numbers: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) = numbers
        .filter(|x| x.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| {
            (a.min(x), b.max(x))
        });
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let room = match 0.05 * (high - low) {
        room if room > 1e-12 * high.abs().max(low.abs()) => room,
        _ => 0.5 * high.abs().max(1e-3),
    };
    low - room..high + room
}

/// A number at an axis with this range, with as many digits as its ticks need.
fn tick(x: f64, range: &std::ops::Range<f64>) -> String {
    let span = range.end - range.start;
    let largest = range.end.abs().max(range.start.abs());
    if x.abs() < 1e-9 * span {
        return "0".to_owned();
    }
    if !(1e-3..1e5).contains(&largest) {
        return format!("{x:.1e}");
    }
    let digits = (1.0 - (span / 4.0).log10().floor()).clamp(0.0, 8.0) as usize;
    let text = format!("{x:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

type Chart<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

/// A panel with axes, its title and what the axes are.
fn panel<'a, 'b>(
    area: &'a Area<'b>,
    title: &str,
    (x, x_name): (&std::ops::Range<f64>, &str),
    (y, y_name): (&std::ops::Range<f64>, &str),
) -> std::result::Result<Chart<'a, 'b>, DrawingAreaErrorKind<std::io::Error>> {
    let (width, _) = area.dim_in_pixel();
    let middle = (width as i32 / FINE + 62 - 16) / 2;
    text(area, title, (middle, 6), font(14), HPos::Center, VPos::Top)?;
    let mut chart = ChartBuilder::on(area)
        .margin(units(8))
        .margin_top(units(28))
        .margin_right(units(16))
        .x_label_area_size(units(38))
        .y_label_area_size(units(54))
        .build_cartesian_2d(x.clone(), y.clone())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(line(GRID, 1.0))
        .axis_style(line(INK, 1.0))
        .set_all_tick_mark_size(units(4))
        .x_labels(7)
        .y_labels(7)
        .x_label_formatter(&|number| tick(*number, x))
        .y_label_formatter(&|number| tick(*number, y))
        .x_desc(x_name)
        .y_desc(y_name)
        .label_style(font(11))
        .axis_desc_style(font(12))
        .draw()?;
    Ok(chart)
}

fn parity(report: &Report) -> Result<Figure> {
    let outputs = report.model.outputs().min(PANELS);
    let wanted: Vec<&[f64]> = match &report.framework {
        Some(rows) => rows.iter().map(Vec::as_slice).collect(),
        None => report
            .reference
            .iter()
            .map(|e| e.value.as_slice())
            .collect(),
    };
    let name = match report.framework {
        Some(_) => "the framework's output",
        None => "f64 reference",
    };
    let title = format!("Parity: computed in {} against {name}", report.precision);
    let ((rows, columns), (width, height)) = grid(outputs);
    draw((width.max(480), HEAD + height), &title, |area| {
        let (_, below) = area.split_vertically(units(HEAD));
        for (i, area) in below
            .split_evenly((rows, columns))
            .iter()
            .take(outputs)
            .enumerate()
        {
            let points: Vec<(f64, f64)> = wanted
                .iter()
                .zip(&report.found)
                .map(|(wanted, found)| (wanted[i], found.value[i]))
                .filter(|(x, y)| x.is_finite() && y.is_finite())
                .collect();
            let range = padded(points.iter().flat_map(|&(x, y)| [x, y]));
            let output = shown(&report.output_name(i), 38);
            let mut chart = panel(area, &output, (&range, name), (&range, "computed"))?;
            let ends = [(range.start, range.start), (range.end, range.end)];
            chart.draw_series(LineSeries::new(ends, line(GREY, 1.0)))?;
            let dot = BLUE.mix(0.55).filled();
            chart.draw_series(
                points
                    .into_iter()
                    .map(|at| Circle::new(at, 5 * FINE / 2, dot)),
            )?;
        }
        Ok(())
    })
}

fn errors(report: &Report) -> Result<Figure> {
    let of = |what: &str| {
        let name = format!("{what}, f64 reference");
        let comparison = report.comparisons.iter().find(|c| c.name == name);
        let ulps = comparison.map_or(&[][..], |c| &c.ulps);
        ulps.iter()
            .copied()
            .filter(|x| x.is_finite())
            .collect::<Vec<f64>>()
    };
    let panels = [("Outputs", of("value")), ("Derivatives", of("Jacobian"))];
    let title = format!("Errors of {} against the f64 reference", report.precision);
    let (width, height) = (PANEL.0 * 3 / 2, PANEL.1 + 40);
    draw((2 * width, HEAD + height), &title, |area| {
        let (_, below) = area.split_vertically(units(HEAD));
        for ((what, ulps), area) in panels.iter().zip(below.split_evenly((1, 2))) {
            let mut sizes: Vec<f64> = ulps.iter().map(|x| x.abs()).collect();
            sizes.sort_by(f64::total_cmp);
            // What one in two hundred exceeds is counted in the outermost bars.
            let rank = (sizes.len() * 199 / 200).min(sizes.len().saturating_sub(1));
            let most = sizes.get(rank).copied().unwrap_or(0.0).max(0.5);
            const BARS: usize = 41;
            let width = 2.0 * most / BARS as f64;
            let mut counts = [0_usize; BARS];
            for x in ulps {
                let bar = ((x.clamp(-most, most) + most) / width) as usize;
                counts[bar.min(BARS - 1)] += 1;
            }
            let highest = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
            let beyond = sizes.iter().filter(|&&x| x > most).count();
            let title = match beyond {
                0 => format!("{what} ({} numbers)", ulps.len()),
                _ => format!("{what} ({} numbers, {beyond} beyond the ends)", ulps.len()),
            };
            let (x, y) = (-most * 1.02..most * 1.02, 0.0..highest * 1.05);
            let mut chart = panel(&area, &title, (&x, "distance, ulp"), (&y, "numbers"))?;
            let bars = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            chart.draw_series(bars.map(|(at, &count)| {
                let left = -most + at as f64 * width;
                let corners = [(left, 0.0), (left + 0.92 * width, count as f64)];
                Rectangle::new(corners, BLUE.filled())
            }))?;
        }
        Ok(())
    })
}

/// The least and the largest of each column, or the range of 1 around it where both are equal.
fn spreads(rows: impl Iterator<Item = impl AsRef<[f64]>>, columns: usize) -> Vec<(f64, f64)> {
    let mut spreads = vec![(f64::INFINITY, f64::NEG_INFINITY); columns];
    for row in rows {
        for (spread, &x) in spreads.iter_mut().zip(row.as_ref()) {
            if x.is_finite() {
                *spread = (spread.0.min(x), spread.1.max(x));
            }
        }
    }
    for spread in &mut spreads {
        if spread.0 > spread.1 {
            *spread = (0.0, 0.0);
        }
        if spread.0 == spread.1 {
            *spread = (spread.0 - 0.5, spread.1 + 0.5);
        }
    }
    spreads
}

fn jacobian(report: &Report) -> Result<Figure> {
    let (inputs, outputs) = (report.model.inputs(), report.model.outputs());
    let x = spreads(report.inputs.iter(), inputs);
    let y = spreads(report.found.iter().map(|e| &e.value), outputs);
    let strength = |i: usize, j: usize| {
        let slopes = report.found.iter().map(|e| e.jacobian[i][j].abs());
        let slopes: Vec<f64> = slopes.filter(|d| d.is_finite()).collect();
        let mean = slopes.iter().sum::<f64>() / slopes.len().max(1) as f64;
        mean * (x[j].1 - x[j].0) / (y[i].1 - y[i].0)
    };
    let strengths: Vec<Vec<f64>> = (0..outputs)
        .map(|i| (0..inputs).map(|j| strength(i, j)).collect())
        .collect();
    let all = strengths.iter().flatten().copied();
    let most = all
        .filter(|s| s.is_finite())
        .fold(0.0, f64::max)
        .max(f64::MIN_POSITIVE);

    // As large as the names and the numbers need, as long as there are not too many of them.
    let cell = |count: usize, wide: i32| wide.min(1000 / count.max(1) as i32).max(2);
    let (cell_x, cell_y) = (cell(inputs, 72), cell(outputs, 34));
    let letters = |name: String| name.chars().count().min(30) as i32;
    let longest = |names: &mut dyn Iterator<Item = i32>| names.max().unwrap_or(0);
    let left = 30 + 7 * longest(&mut (0..outputs).map(|i| letters(report.output_name(i))));
    let top = HEAD + 14 + 7 * longest(&mut (0..inputs).map(|j| letters(report.input_name(j))));
    let (width, height) = (cell_x * inputs as i32, cell_y * outputs as i32);
    let size = ((left + width + 110).max(600), top + height.max(80) + 24);
    let shade = |share: f64| {
        let mix = |light: u8, dark: u8| {
            (f64::from(light) + share * (f64::from(dark) - f64::from(light))).round() as u8
        };
        RGBColor(mix(240, 8), mix(245, 64), mix(250, 129))
    };
    let title = "Mean |∂ output / ∂ input|, times spread of input over spread of output";
    draw(size, title, |area| {
        for (i, row) in strengths.iter().enumerate() {
            let y = top + cell_y * i as i32;
            if cell_y >= 10 {
                let name = shown(&report.output_name(i), 30);
                let at = (left - 8, y + cell_y / 2);
                text(area, &name, at, font(12), HPos::Right, VPos::Center)?;
            }
            for (j, &strength) in row.iter().enumerate() {
                let x = left + cell_x * j as i32;
                let share = (strength / most).clamp(0.0, 1.0);
                let corner = (x + cell_x - 1, y + cell_y - 1);
                rectangle(area, (x, y), corner, shade(share))?;
                if cell_x >= 44 && cell_y >= 16 {
                    let style = font(12).color(if share > 0.5 { &WHITE } else { &INK });
                    let at = (x + cell_x / 2, y + cell_y / 2);
                    text(
                        area,
                        &short(strength),
                        at,
                        style,
                        HPos::Center,
                        VPos::Center,
                    )?;
                }
            }
        }
        for j in (0..inputs).filter(|_| cell_x >= 14) {
            let turned = font(12).transform(FontTransform::Rotate270);
            let name = shown(&report.input_name(j), 30);
            let at = (left + cell_x * j as i32 + cell_x / 2, top - 8);
            text(area, &name, at, turned, HPos::Left, VPos::Center)?;
        }
        // The scale.
        let (bar, steps) = (left + width + 24, 40);
        let length = height.max(80);
        for step in 0..steps {
            let share = 1.0 - f64::from(step) / f64::from(steps - 1);
            let y = |step: i32| top + step * length / steps;
            rectangle(area, (bar, y(step)), (bar + 14, y(step + 1)), shade(share))?;
        }
        text(
            area,
            &short(most),
            (bar + 20, top),
            font(12),
            HPos::Left,
            VPos::Top,
        )?;
        text(
            area,
            "0",
            (bar + 20, top + length),
            font(12),
            HPos::Left,
            VPos::Bottom,
        )
    })
}

fn path<T: Float>(report: &Report) -> Result<Figure> {
    let (inputs, outputs) = (report.model.inputs(), report.model.outputs());
    let x = spreads(report.inputs.iter(), inputs);
    let mut evaluator = Evaluator::<T>::with_order(&report.model, report.order)?;
    let (mut value, mut derivatives) = (vec![T::ZERO; outputs], vec![T::ZERO; outputs * inputs]);
    let mut samples = Vec::new();
    for at in 0..POINTS {
        let t = at as f64 / (POINTS - 1) as f64;
        let along = x
            .iter()
            .map(|(low, high)| T::from_f64(low + t * (high - low)));
        let along: Vec<T> = along.collect();
        evaluator.evaluate(&along, &mut value, &mut derivatives)?;
        let scaled = derivatives.iter().enumerate().map(|(entry, d)| {
            let (low, high) = x[entry % inputs];
            d.to_f64() * (high - low)
        });
        samples.push((t, scaled.collect::<Vec<f64>>()));
    }

    // The inputs that matter most, as shares of the strongest derivative of each output.
    let strength = |j: usize| -> f64 {
        let largest = |i: usize, j: usize| {
            let sizes = samples.iter().map(|(_, d)| d[i * inputs + j].abs());
            sizes.filter(|d| d.is_finite()).fold(0.0, f64::max)
        };
        let share = |i| {
            let most = (0..inputs).map(|j| largest(i, j)).fold(0.0, f64::max);
            if most > 0.0 {
                largest(i, j) / most
            } else {
                0.0
            }
        };
        (0..outputs).map(share).sum()
    };
    let mut ranking: Vec<(f64, usize)> = (0..inputs).map(|j| (strength(j), j)).collect();
    ranking.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let colour = |j: usize| {
        let rank = ranking.iter().position(|&(_, input)| input == j);
        rank.and_then(|rank| COLOURS.get(rank)).copied()
    };

    let panels = outputs.min(PANELS);
    let ((rows, columns), (width, height)) = grid(panels);
    let width = width.max(640);
    // Which colour is which input, on as many lines as it takes.
    let (mut legend, mut at) = (Vec::new(), (14, HEAD + LEGEND / 2));
    for &(_, j) in ranking.iter().take(COLOURS.len()) {
        let name = shown(&report.input_name(j), 30);
        let wide = 48 + 7 * name.chars().count() as i32;
        if at.0 + wide > width {
            at = (14, at.1 + LEGEND);
        }
        legend.push((at, name, colour(j).unwrap_or(GREY)));
        at.0 += wide;
    }
    let head = at.1 + LEGEND / 2 + 6;
    let title = "Derivatives along the line from the smallest to the largest inputs";
    draw((width, head + height), title, |area| {
        for ((x, y), name, colour) in &legend {
            let ends = [(x * FINE, y * FINE), ((x + 20) * FINE, y * FINE)];
            area.draw(&PathElement::new(ends, line(*colour, 2.0)))?;
            text(area, name, (x + 26, *y), font(12), HPos::Left, VPos::Center)?;
        }
        let (_, below) = area.split_vertically(units(head));
        for (i, area) in below
            .split_evenly((rows, columns))
            .iter()
            .take(panels)
            .enumerate()
        {
            let all = samples
                .iter()
                .flat_map(|(_, d)| &d[i * inputs..(i + 1) * inputs]);
            let (t, range) = (0.0..1.0, padded(all.copied().chain([0.0])));
            let output = shown(&report.output_name(i), 38);
            let mut chart = panel(
                area,
                &output,
                (&t, "share of the way"),
                (&range, "change per range"),
            )?;
            // The grey ones first, so that they are behind.
            for &(_, j) in ranking.iter().rev() {
                let points = samples.iter().map(|(t, d)| (*t, d[i * inputs + j]));
                let points = points.filter(|(_, d)| d.is_finite());
                let style = match colour(j) {
                    Some(colour) => line(colour, 1.6),
                    None => line(GREY, 1.0),
                };
                chart.draw_series(LineSeries::new(points, style))?;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_have_the_digits_that_they_need() {
        assert_eq!(tick(0.25, &(0.0..1.0)), "0.25");
        assert_eq!(tick(1.0, &(0.0..1.0)), "1");
        assert_eq!(tick(-300.0, &(-300.0..300.0)), "-300");
        assert_eq!(tick(2e6, &(0.0..1e7)), "2.0e6");
        assert_eq!(tick(1e-14, &(-1.0..1.0)), "0");
        assert_eq!(tick(100.002, &(100.0..100.01)), "100.002");
    }

    #[test]
    fn axes_are_never_empty() {
        for numbers in [
            vec![],
            vec![0.0],
            vec![3.0, 3.0],
            vec![f64::NAN],
            vec![1e300, -1e300],
        ] {
            let range = padded(numbers.iter().copied());
            assert!(range.start < range.end, "{numbers:?}");
        }
    }
}
