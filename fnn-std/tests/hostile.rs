//! Files that are damaged, lie, or mean harm: one line of error, in less than a second, with little
//! memory.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fmt::Write as _,
    fs,
    io::{Cursor, Read, Write},
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use fnn_std::{Activation, Model, Result, import};
use serde_json::json;
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

/// The system's allocator, which notes how much is taken at most.
struct Counting;

static TAKEN: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is handed on to the system's allocator unchanged; `realloc` and `alloc_zeroed` are
// those that the trait makes from these two.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let taken = TAKEN.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(taken, Relaxed);
        // SAFETY: the caller keeps the promises of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        TAKEN.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the pointer came from `alloc` above, that is from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test at a time, so that what is counted is its own.
static ALONE: Mutex<()> = Mutex::new(());

fn data(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    fs::read(folder.join(name)).unwrap()
}

/// Reads these bytes within the limits.
#[track_caller]
fn read(bytes: &[u8]) -> Result<Model> {
    read_with(bytes, None)
}

#[track_caller]
fn read_with(bytes: &[u8], activations: Option<Vec<Activation>>) -> Result<Model> {
    let options = import::Options {
        activations,
        ..import::Options::default()
    };
    let before = TAKEN.load(Relaxed);
    PEAK.store(before, Relaxed);
    let start = Instant::now();
    let result = import::parse(bytes, &options);
    let (time, taken) = (start.elapsed(), PEAK.load(Relaxed) - before);
    assert!(time < Duration::from_secs(1), "it took {time:?}");
    assert!(taken < 256 << 20, "it took {taken} bytes");
    result
}

/// The line of the error that these bytes give.
#[track_caller]
fn error(bytes: &[u8]) -> String {
    let line = read(bytes).unwrap_err().to_string();
    assert!(!line.contains('\n'));
    line
}

/// An archive of these entries.
fn archive(entries: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let options = SimpleFileOptions::default().compression_method(method);
        archive.start_file(*name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn npy(shape: &str, numbers: &[f32]) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
    bytes
}

/// A Keras archive of this configuration, with the weights of `functional.keras`.
fn keras(config: &serde_json::Value) -> Vec<u8> {
    let mut original = ZipArchive::new(Cursor::new(data("keras/functional.keras"))).unwrap();
    let mut weights = Vec::new();
    let mut entry = original.by_name("model.weights.h5").unwrap();
    entry.read_to_end(&mut weights).unwrap();
    let config = config.to_string();
    let entries = [
        ("config.json", config.as_bytes()),
        ("model.weights.h5", &weights),
    ];
    archive(&entries, CompressionMethod::Stored)
}

#[test]
fn files_cut_off_anywhere_are_refused() {
    let _alone = ALONE.lock();
    for name in [
        "keras/sequential.keras",
        "keras/nested.keras",
        "keras/double.keras",
        "keras/legacy.h5",
        "json/every_kind.json",
        "npz/numbered.npz",
        "npz/positional.npz",
    ] {
        let bytes = data(name);
        let activations = name.ends_with("npz").then(|| vec![Activation::Tanh; 3]);
        let whole = read_with(&bytes, activations.clone()).unwrap();
        for length in 0..bytes.len() {
            // What nothing needs may be missing: the newline at the end, unused room of HDF5.
            if let Ok(model) = read_with(&bytes[..length], activations.clone()) {
                assert_eq!(model, whole, "{name}, {length} bytes");
                let is_last_line = name.ends_with("json") && length + 1 == bytes.len();
                assert!(
                    name.ends_with("h5") || is_last_line,
                    "{name}, {length} bytes"
                );
            }
        }
    }
}

#[test]
fn damage_anywhere_is_survived() {
    let _alone = ALONE.lock();
    for name in [
        "keras/sequential.keras",
        "keras/double.keras",
        "keras/legacy.h5",
        "json/every_kind.json",
        "npz/numbered.npz",
    ] {
        let bytes = data(name);
        let activations = name.ends_with("npz").then(|| vec![Activation::Tanh; 3]);
        for at in 0..bytes.len() {
            for with in [0xff, bytes[at] ^ 1] {
                let mut damaged = bytes.clone();
                damaged[at] = with;
                if let Err(e) = read_with(&damaged, activations.clone()) {
                    assert!(!e.to_string().contains('\n'));
                }
            }
        }
    }
}

/// The HDF5 file inside an archive, which a check sum guards there.
#[test]
fn damaged_weights_are_survived() {
    let _alone = ALONE.lock();
    let model = read(&data("keras/double.keras")).unwrap();
    let mut original = ZipArchive::new(Cursor::new(data("keras/double.keras"))).unwrap();
    let mut part = |name: &str| {
        let mut bytes = Vec::new();
        let mut entry = original.by_name(name).unwrap();
        entry.read_to_end(&mut bytes).unwrap();
        bytes
    };
    let (config, weights) = (part("config.json"), part("model.weights.h5"));
    let read_these = |weights: &[u8]| {
        let entries = [("config.json", &config[..]), ("model.weights.h5", weights)];
        read(&archive(&entries, CompressionMethod::Stored))
    };
    for at in 0..weights.len() {
        let mut damaged = weights.clone();
        damaged[at] ^= 1 << (at % 8);
        let _ = read_these(&damaged);
    }
    // No number may be NaN.
    for layer in model.as_dense().unwrap() {
        for number in layer.rows().flatten().chain(layer.bias()) {
            let at = weights.windows(8).position(|w| w == number.to_le_bytes());
            let at = at.unwrap();
            let mut damaged = weights.clone();
            damaged[at..at + 8].copy_from_slice(&f64::NAN.to_le_bytes());
            let line = read_these(&damaged).unwrap_err().to_string();
            assert!(line.ends_with("weights must be finite"), "{line}");
        }
    }
}

#[test]
fn hdf5_that_claims_or_reaches_out_is_refused() {
    let _alone = ALONE.lock();
    assert_eq!(
        error(&data("keras/claims.h5")),
        "the weights `dense/kernel` take 4000000000000 bytes, much more than the file has"
    );
    let elsewhere = error(&data("keras/elsewhere.h5"));
    let path = "the HDF5 file gives no weights at `model_weights/dense/dense/kernel:0`";
    assert!(elsewhere.starts_with(path), "{elsewhere}");
}

#[test]
fn bombs_are_refused() {
    let _alone = ALONE.lock();
    let zeros = npy("(6000, 6000)", &vec![0.0; 36_000_000]);
    let bomb = archive(&[("W0.npy", &zeros)], CompressionMethod::Deflated);
    assert!(bomb.len() < 1 << 20);
    drop(zeros);
    assert_eq!(
        error(&bomb),
        "the zip archive holds much more than its size, up to the entry `W0.npy`"
    );
    // Many that are small enough each.
    let zeros = npy("(1000, 1000)", &vec![0.0; 1_000_000]);
    let names: Vec<_> = (0..100).map(|i| format!("W{i}.npy")).collect();
    let entries: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), &zeros[..]))
        .collect();
    let line = error(&archive(&entries, CompressionMethod::Deflated));
    assert!(
        line.starts_with("the zip archive holds much more"),
        "{line}"
    );
    let text = " ".repeat(100 << 20);
    let bomb = archive(
        &[("config.json", text.as_bytes())],
        CompressionMethod::Deflated,
    );
    let line = error(&bomb);
    assert!(
        line.starts_with("the zip archive holds much more"),
        "{line}"
    );
}

#[test]
fn archives_that_lie_are_refused() {
    let _alone = ALONE.lock();
    let one = npy("(1, 1)", &[1.0]);
    let bytes = archive(&[("W0.npy", &one)], CompressionMethod::Stored);
    let tanh = || Some(vec![Activation::Tanh]);
    read_with(&bytes, tanh()).unwrap();
    // Sizes in the directory, and how many entries there are.
    let directory = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    let end = bytes.windows(4).position(|w| w == b"PK\x05\x06").unwrap();
    for at in [
        directory + 20,
        directory + 24,
        directory + 42,
        end + 8,
        end + 12,
        end + 16,
    ] {
        for claim in [0xffff_fff0, 0x7fff_ffff, 0x0000_ffff_u32] {
            let mut lying = bytes.clone();
            lying[at..at + 4].copy_from_slice(&claim.to_le_bytes());
            // A directory may lie where nothing depends on it.
            let _ = read_with(&lying, tanh());
        }
    }
    let many: Vec<_> = (0..5000).map(|i| format!("W{i}.npy")).collect();
    let entries: Vec<_> = many.iter().map(|name| (name.as_str(), &one[..])).collect();
    assert_eq!(
        error(&archive(&entries, CompressionMethod::Stored)),
        "the zip archive has 5000 entries, wanted at most 4096"
    );
    // Two entries of one name: the second one's name is written over.
    let twins = archive(
        &[("W0.npy", &one), ("W1.npy", &one)],
        CompressionMethod::Stored,
    );
    let text = twins
        .windows(6)
        .enumerate()
        .filter(|(_, w)| *w == b"W1.npy");
    let places: Vec<_> = text.map(|(at, _)| at).collect();
    let mut twins = twins.clone();
    for at in places {
        twins[at..at + 6].copy_from_slice(b"W0.npy");
    }
    assert_eq!(
        error(&twins),
        "the zip archive is damaged: two of its entries have one name"
    );
    for name in [
        "../../etc/passwd.npy",
        "/etc/passwd.npy",
        "C:\\a.npy",
        "a/../../c.npy",
    ] {
        let line = error(&archive(&[(name, &one)], CompressionMethod::Stored));
        assert!(
            line.ends_with("is neither the weight nor the bias of a layer"),
            "{line}"
        );
    }
    let huge = npy("(1000000, 1000000)", &[1.0]);
    let line = read_with(
        &archive(&[("W0.npy", &huge)], CompressionMethod::Stored),
        tanh(),
    );
    assert_eq!(
        line.unwrap_err().to_string(),
        "the array `W0`: the NumPy array is damaged or cut off: the shape [1000000, 1000000] takes \
         4000000000000 bytes, 4 are there"
    );
    let nan = npy("(1, 1)", &[f32::NAN]);
    let line = read_with(
        &archive(&[("W0.npy", &nan)], CompressionMethod::Stored),
        tanh(),
    );
    assert_eq!(
        line.unwrap_err().to_string(),
        "the tensor `W0` holds NaN (number 0 of 1); weights must be finite"
    );
}

#[test]
fn json_that_nests_or_claims_is_refused() {
    let _alone = ALONE.lock();
    let begin = r#"{"version": 1, "precision": "f32", "layers": ["#;
    for (open, close) in [
        ("[", "]"),
        (r#"{"residual":{"layers":["#, "]}}"),
        (r#"{"a":"#, "}"),
    ] {
        for depth in [100, 200, 1_000_000] {
            error(format!("{begin}{}", open.repeat(depth)).as_bytes());
            let text = format!("{begin}{}{}]}}", open.repeat(depth), close.repeat(depth));
            error(text.as_bytes());
        }
    }
    error(format!("{begin}{{\"softmax\": {{\"size\": 1000000000000}}}}]}}").as_bytes());
    error(format!("{begin}{{\"select\": {{\"inputs\": 9, \"range\": [9, 1]}}}}]}}").as_bytes());
    let numbers = |number: &str| {
        let row = format!("[{}]", [number; 2000].join(","));
        format!(
            "{begin}{{\"dense\":{{\"weight\":[{}]}}}}",
            [&*row; 1000].join(",")
        )
    };
    error(numbers("0").as_bytes());
    error(numbers("NaN").as_bytes());
    error(numbers("1e400").as_bytes());
    // Many layers, each within the last branch of the one before.
    let mut deep = json!({"softmax": {"size": 2}});
    for _ in 0..25 {
        deep = json!({"concat": {"branches": [[{"softmax": {"size": 2}}], [deep]]}});
    }
    let text = format!("{begin}{deep}]}}");
    let _ = read(text.as_bytes());
}

/// A functional model of these layers, as (class, name, the names that it is called on).
fn functional(layers: &[(&str, String, Vec<String>)], output: &str) -> serde_json::Value {
    let history = |name: &String| json!({"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}});
    let layers = layers.iter().map(|(class, name, on)| {
        let arguments: Vec<_> = on.iter().map(history).collect();
        let nodes = match on.len() {
            0 => json!([]),
            1 => json!([{"args": [arguments[0]], "kwargs": {}}]),
            _ => json!([{"args": [arguments], "kwargs": {}}]),
        };
        let config = json!({"name": name, "batch_shape": [null, 8], "activation": "tanh"});
        json!({"class_name": class, "name": name, "config": config, "inbound_nodes": nodes})
    });
    let layers: Vec<_> = layers.collect();
    json!({"class_name": "Functional", "config": {
        "name": "m", "layers": layers,
        "input_layers": [["x", 0, 0]], "output_layers": [[output, 0, 0]],
    }})
}

fn layer(class: &'static str, name: &str, on: &[String]) -> (&'static str, String, Vec<String>) {
    (class, name.to_owned(), on.to_vec())
}

#[test]
fn graphs_that_loop_or_grow_are_refused() {
    let _alone = ALONE.lock();
    let of = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
    let cycle = [
        layer("InputLayer", "x", &[]),
        layer("Add", "a", &of(&["x", "b"])),
        layer("Activation", "b", &of(&["a"])),
    ];
    assert_eq!(
        error(&keras(&functional(&cycle, "b"))),
        "the output of the layer `b` is computed nowhere, or from itself"
    );
    // Each is made from the two before it: as a composition it doubles, and more.
    let mut grows = vec![
        layer("InputLayer", "x", &[]),
        layer("Activation", "n0", &of(&["x"])),
    ];
    grows.push(layer("Activation", "n1", &of(&["n0"])));
    for i in 2..60 {
        let before = [format!("a{i}"), format!("b{i}")];
        grows.push(layer("Activation", &before[0], &[format!("n{}", i - 1)]));
        grows.push(layer("Activation", &before[1], &[format!("n{}", i - 2)]));
        grows.push(layer("Add", &format!("n{i}"), &before));
    }
    let line = error(&keras(&functional(&grows, "n59")));
    assert!(line.starts_with("the graph "), "{line}");
    // Each twice as wide as the one before.
    let mut widens = vec![layer("InputLayer", "x", &[])];
    for i in 0..60 {
        let before = if i == 0 {
            "x".to_owned()
        } else {
            format!("c{}", i - 1)
        };
        widens.push(layer(
            "Concatenate",
            &format!("c{i}"),
            &[before.clone(), before],
        ));
    }
    error(&keras(&functional(&widens, "c59")));
    // In the order that takes the most rounds.
    let mut backward = vec![layer("InputLayer", "x", &[])];
    for i in (0..3000).rev() {
        let before = if i == 0 {
            "x".to_owned()
        } else {
            format!("c{}", i - 1)
        };
        backward.push(layer("Activation", &format!("c{i}"), &[before]));
    }
    let _ = read(&keras(&functional(&backward, "c2999")));

    for shape in [
        json!([null, 1_000_000_000_000u64]),
        json!([null, 1u64 << 40, 1u64 << 40]),
        json!([null, 0]),
    ] {
        for class in [
            "Flatten",
            "Dropout",
            "Softmax",
            "Normalization",
            "Rescaling",
            "Dense",
        ] {
            let config = json!({"class_name": "Sequential", "config": {"name": "m", "layers": [
                {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": shape}},
                {"class_name": class, "config": {"name": "l", "mean": 0.0, "variance": 1.0}},
            ]}});
            error(&keras(&config));
        }
    }
    let mut nested = json!({"class_name": "Dropout", "config": {"name": "d"}});
    for _ in 0..200 {
        nested = json!({"class_name": "Sequential", "config": {"name": "m", "layers": [nested]}});
    }
    error(&keras(&nested));
    let mut text = String::new();
    for _ in 0..100_000 {
        let _ = write!(text, "{{\"class_name\":");
    }
    let config = archive(
        &[("config.json", text.as_bytes()), ("model.weights.h5", b"")],
        CompressionMethod::Stored,
    );
    error(&config);
}

/// A field of a message of protocol buffers.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    [bytes, content.to_vec()].concat()
}

/// relu(x) of three entries, with this outline of its layers in the metadata.
fn onnx_with_outline(layers: &str) -> Vec<u8> {
    let size = [vec![0x08, 1], field(2, &field(1, &[0x08, 3]))].concat();
    let info = |name: &[u8]| [field(1, name), field(2, &field(1, &size))].concat();
    let node = [field(1, b"x"), field(2, b"y"), field(4, b"Relu")].concat();
    let graph = [
        field(1, &node),
        field(11, &info(b"x")),
        field(12, &info(b"y")),
    ]
    .concat();
    let outline = format!(
        r#"{{"version":1,"precision":"f32","inputs":null,"outputs":null,"input_ranges":null,"notes":[],"layers":{layers}}}"#
    );
    let entry = [field(1, b"fnn"), field(2, outline.as_bytes())].concat();
    let opset = [field(1, b""), vec![0x10, 13]].concat();
    let parts = [field(7, &graph), field(8, &opset), field(14, &entry)];
    [vec![0x08, 7], parts.concat()].concat()
}

#[test]
fn outlines_of_onnx_files_cannot_make_layers_that_the_graph_has_not() {
    let _alone = ALONE.lock().unwrap_or_else(|e| e.into_inner());
    let alone = r#"{"affine":{"name":"","size":65536,"numbers":null,"activation":"tanh"}}"#;
    let many = vec![alone; 100_000].join(",");
    let once = |kind: &str, count: usize| format!("[{}]", vec![kind; count].join(","));
    let deep = |n: usize| {
        let open = r#"[{"residual":{"layers":"#.repeat(n);
        format!("{open}[]{}", "}}]".repeat(n))
    };
    let outlines = [
        format!("[{many}]"),
        // The same weights a hundred thousand times; an operator of many nodes.
        once(
            r#"{"dense":{"name":"","weight":"w","bias":"b","activation":"tanh"}}"#,
            100_000,
        ),
        once(
            r#"{"affine":{"name":"","size":3,"numbers":null,"activation":"gelu"}}"#,
            100_000,
        ),
        once(r#"{"softmax":{"name":"","size":3}}"#, 100_000),
        deep(30),
        deep(100_000),
        r#"[{"softmax":{"name":"","size":4}}]"#.to_owned(),
        "[]".to_owned(),
        "17".to_owned(),
    ];
    for outline in outlines {
        let shown: String = outline.chars().take(60).collect();
        let model = read(&onnx_with_outline(&outline)).unwrap();
        assert_eq!(model.layers().len(), 1, "{shown}");
        assert_eq!(model.layers()[0].inputs(), 3, "{shown}");
    }
}
