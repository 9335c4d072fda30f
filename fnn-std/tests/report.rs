//! The page of a check and the figures: what a browser and a picture show.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use fnn_std::{
    check,
    figure::{Figure, Kind},
};
use resvg::tiny_skia::Pixmap;

fn models() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/dynamics")
}

/// The quadrotor, checked against what JAX recorded.
fn report() -> check::Report {
    let options = check::Options {
        input: Some(models().join("inputs.npy")),
        output: Some(models().join("value.npy")),
        jacobian: Some(models().join("jacobian.npy")),
        rows: Some(40),
        ..check::Options::default()
    };
    check::run(&models().join("dynamics.safetensors"), &options).unwrap()
}

/// How many pixels have each of these colours.
fn count<const N: usize>(picture: &Pixmap, colours: [(u8, u8, u8); N]) -> [usize; N] {
    colours.map(|(r, g, b)| {
        let pixels = picture.pixels().iter();
        let same = pixels.filter(|p| (p.red(), p.green(), p.blue()) == (r, g, b));
        same.count()
    })
}

const WHITE: (u8, u8, u8) = (255, 255, 255);
const INK: (u8, u8, u8) = (40, 40, 40);

#[test]
fn every_figure_is_a_picture() {
    let report = report();
    // What is filled with a colour of its own: bars, the darkest cell, the strongest line.
    let bars = (0, 90, 160);
    for (kind, colour) in [
        (Kind::Parity, INK),
        (Kind::Errors, bars),
        (Kind::Jacobian, (8, 64, 129)),
        (Kind::Path, (0, 114, 178)),
    ] {
        let figure = Figure::new(kind, &report).unwrap();
        let png = figure.png(2.0).unwrap();
        let picture = Pixmap::decode_png(&png).unwrap();
        assert!(
            figure
                .svg()
                .contains(&format!("width=\"{}\"", picture.width() / 2))
        );
        let all = picture.pixels().len();
        let [white, ink, own] = count(&picture, [WHITE, INK, colour]);
        assert!(
            white > all / 3 && white < all * 99 / 100,
            "{kind:?}: {white} of {all}"
        );
        assert!(ink > 500 && own > 500, "{kind:?}: {ink} {own}");
    }
    assert!("pie".parse::<Kind>().is_err());
}

#[test]
fn names_from_a_file_are_no_markup() {
    let mut report = report();
    let names = (0..8).map(|j| format!("<script>alert({j})</script>&\""));
    report.model = report.model.with_input_names(names.collect()).unwrap();
    report.source = "<b>".to_owned();
    let page = fnn_std::html::page(&report).unwrap();
    assert!(!page.contains("<script") && !page.contains("<b>"));
    assert!(page.contains("&lt;script&gt;"));
}

/// In Debian's browser; `cargo xtask test` installs it.
#[test]
fn a_browser_shows_the_page() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let browser = std::env::split_paths(&path)
        .map(|folder| folder.join("chromium"))
        .find(|file| file.is_file())
        .expect(
            "found no chromium in PATH, wanted a browser to show the page in: \
             `sudo apt-get install chromium`, or `cargo xtask test`, which installs it",
        );
    let folder = tempfile::tempdir().unwrap();
    let (page, shot) = (folder.path().join("r.html"), folder.path().join("r.png"));
    let report = report();
    fnn_std::html::write(&report, &page).unwrap();
    let text = fs::read_to_string(&page).unwrap();
    // Nothing is fetched: the only addresses are names of namespaces.
    for part in text.split("http").skip(1) {
        assert!(part.starts_with("://www.w3.org/"), "{}", &part[..40]);
    }

    let run = |options: &[&str], page: &Path| {
        let output = Command::new(&browser)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
            ])
            .args(["--enable-logging=stderr", "--window-size=1100,2600"])
            .arg(format!(
                "--user-data-dir={}",
                folder.path().join("profile").display()
            ))
            .args(options)
            .arg(format!("file://{}", page.display()))
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{log}");
        let console: Vec<_> = log
            .lines()
            .filter(|line| line.contains("CONSOLE"))
            .collect();
        assert!(console.is_empty(), "{console:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    run(&[&format!("--screenshot={}", shot.display())], &page);
    let picture = Pixmap::decode_png(&fs::read(&shot).unwrap()).unwrap();
    assert_eq!((picture.width(), picture.height()), (1100, 2600));
    // The verdict, bars of the histogram, the darkest cells of the heat map, and letters.
    let colours = [(0, 113, 63), (0, 90, 160), (8, 64, 129), INK];
    let [verdict, bars, cells, ink] = count(&picture, colours);
    assert!(
        verdict > 100 && bars > 3_000 && cells > 1_000 && ink > 3_000,
        "{verdict} {bars} {cells} {ink}"
    );

    // The browser read all of it as it was meant: four figures with names of outputs in them.
    let dom = run(&["--dump-dom"], &page);
    assert_eq!(dom.matches("<figure").count(), 4);
    assert_eq!(dom.matches("<svg").count(), 4);
    assert!(dom.matches("next_theta_rad").count() >= 3);
}
