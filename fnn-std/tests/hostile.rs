//! Files that are damaged, lie, or mean harm: one line of error, in less than a second, with little
//! memory.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fmt::Write as _,
    fs,
    io::{Cursor, Read, Write},
    path::PathBuf,
    process::{Command, Output},
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
        "the zip archive has two entries of the name `W0.npy`"
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

/// Sizes that a file may declare and no network has.
const DECLARED: [i64; 8] = [
    (1 << 16) + 1,
    (1 << 31) - 1,
    1 << 31,
    3_000_000_000,
    1 << 32,
    100_000_000_000,
    1 << 62,
    i64::MAX,
];

/// What the program says of a model with these bytes, within 256 MiB of address space, threads and
/// the program itself among them, and a second of the processor, which does not depend on what else
/// the machine does. An input may be given for it to be evaluated at.
#[track_caller]
fn said_by_program(bytes: &[u8], input: Option<&[u8]>) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let (model, x) = (folder.path().join("model"), folder.path().join("x.npy"));
    fs::write(&model, bytes).unwrap();
    let mut program = Command::new("sh");
    program
        .args([
            "-c",
            "ulimit -v 262144 && ulimit -t 1 && exec \"$0\" \"$@\"",
        ])
        .arg(env!("CARGO_BIN_EXE_fnn"))
        .env_remove("RUST_BACKTRACE")
        // An arena for each thread reserves 64 MiB that nobody has asked for.
        .env("MALLOC_ARENA_MAX", "1");
    match input {
        None => program.arg("inspect").arg(&model),
        Some(numbers) => {
            fs::write(&x, numbers).unwrap();
            program.arg("eval").arg(&model).arg("--input").arg(&x)
        }
    };
    program.output().unwrap()
}

/// The line with which the program refuses a model, or the input to it.
#[track_caller]
fn refused_at(bytes: &[u8], input: Option<&[u8]>) -> String {
    let output = said_by_program(bytes, input);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let mut lines = errors.lines();
    let line = lines.next().unwrap_or_default();
    let line = line.strip_prefix("error: ").expect(&errors);
    assert!(lines.all(|line| line.starts_with("help: ")), "{errors}");
    let (file, found) = line.split_once("`: ").expect(line);
    assert!(
        file.ends_with("/model") || file.ends_with("/x.npy"),
        "{line}"
    );
    found.to_owned()
}

#[track_caller]
fn refused(bytes: &[u8]) -> String {
    refused_at(bytes, None)
}

/// An integer field of a message.
fn integer(number: u8, mut value: u64) -> Vec<u8> {
    let mut bytes = vec![number << 3];
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// An input or an output of a graph.
fn value(name: &str, sizes: &[i64]) -> Vec<u8> {
    let size = |n: &i64| field(1, &integer(1, *n as u64));
    let shape: Vec<u8> = sizes.iter().flat_map(size).collect();
    let kind = field(1, &[integer(1, 1), field(2, &shape)].concat());
    [field(1, name.as_bytes()), field(2, &kind)].concat()
}

/// A tensor of f32, or of i64.
fn tensor(name: &str, sizes: &[i64], floats: &[f32], integers: &[i64]) -> Vec<u8> {
    let sizes: Vec<u8> = sizes.iter().flat_map(|&n| integer(1, n as u64)).collect();
    let (data_type, numbers) = match integers {
        [] => (1, floats.iter().flat_map(|x| x.to_le_bytes()).collect()),
        _ => (
            7,
            integers
                .iter()
                .flat_map(|x| x.to_le_bytes())
                .collect::<Vec<_>>(),
        ),
    };
    let name = field(8, name.as_bytes());
    [sizes, integer(2, data_type), name, field(9, &numbers)].concat()
}

fn floats(name: &str, sizes: &[i64], numbers: &[f32]) -> Vec<u8> {
    tensor(name, sizes, numbers, &[])
}

fn integers(name: &str, numbers: &[i64]) -> Vec<u8> {
    tensor(name, &[numbers.len() as i64], &[], numbers)
}

/// `Add(x, w) -> y`, with attributes that are lists of integers: `Transpose(x) -> y, perm 1 0`.
fn node(text: &str) -> Vec<u8> {
    let (call, rest) = text.split_once(" -> ").unwrap();
    let (operator, inputs) = call.trim_end_matches(')').split_once('(').unwrap();
    let (outputs, attributes) = rest.split_once(", ").unwrap_or((rest, ""));
    let mut bytes = field(4, operator.as_bytes());
    for name in inputs.split(", ") {
        bytes.extend(field(1, name.as_bytes()));
    }
    for name in outputs.split(' ') {
        bytes.extend(field(2, name.as_bytes()));
    }
    for attribute in attributes.split(", ").filter(|text| !text.is_empty()) {
        let mut words = attribute.split(' ');
        let name = field(1, words.next().unwrap().as_bytes());
        let numbers: Vec<i64> = words.map(|word| word.parse().unwrap()).collect();
        let numbers = match numbers[..] {
            [only] => [integer(3, only as u64), integer(8, only as u64)].concat(),
            _ => numbers.iter().flat_map(|&n| integer(8, n as u64)).collect(),
        };
        bytes.extend(field(5, &[name, numbers].concat()));
    }
    bytes
}

/// A file of these nodes from `x` with these sizes to `y`.
fn onnx(nodes: &[&str], x: &[i64], stored: &[Vec<u8>]) -> Vec<u8> {
    onnx_of(nodes, &[value("x", x)], stored, &[])
}

fn onnx_of(nodes: &[&str], inputs: &[Vec<u8>], stored: &[Vec<u8>], more: &[u8]) -> Vec<u8> {
    let each = |number, parts: &[Vec<u8>]| -> Vec<u8> {
        parts.iter().flat_map(|part| field(number, part)).collect()
    };
    let nodes: Vec<_> = nodes.iter().map(|text| node(text)).collect();
    let output = value("y", &[]);
    let graph = [each(1, &nodes), each(5, stored), each(11, inputs)].concat();
    let graph = [graph, field(12, &output)].concat();
    let opset = [field(1, b""), integer(2, 17)].concat();
    [&*integer(1, 8), &field(7, &graph), &field(8, &opset), more].concat()
}

/// A safetensors file with this header and so many bytes behind it.
fn safetensors(header: &str, bytes: usize) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length, header.as_bytes(), &vec![0; bytes]].concat()
}

/// A sequential Keras model of layers with this text of their configurations.
fn sequential(layers: &serde_json::Value) -> Vec<u8> {
    let config = json!({"class_name": "Sequential", "config": {"name": "m", "layers": layers}});
    keras(&config)
}

fn keras_layer(class: &str, name: &str, mut config: serde_json::Value) -> serde_json::Value {
    config["name"] = json!(name);
    json!({"class_name": class, "config": config})
}

#[test]
fn what_the_program_reads_it_reads_within_the_limits() {
    let relu = onnx(&["Relu(x) -> y"], &[1, 3], &[]);
    let output = said_by_program(&relu, Some(&npy("(1, 3)", &[1.0, -1.0, 0.5])));
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("y[0]"), "{text}");
    // As large as sizes may be, with the value and the Jacobian.
    let n = 65_536;
    let weight = floats("w", &[n, 1], &vec![0.5; n as usize]);
    let wide = onnx(&["Relu(x) -> h", "MatMul(h, w) -> y"], &[1, n], &[weight]);
    let input = npy("(1, 65536)", &vec![1.0; n as usize]);
    let output = said_by_program(&wide, Some(&input));
    assert!(output.status.success(), "{output:?}");
    assert!(said_by_program(&wide, None).status.success());
    // Only in the order that was chosen for it.
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.onnx");
    fs::write(&model, &wide).unwrap();
    let model = import::read(&model, &import::Options::default()).unwrap();
    let error = fnn_std::Evaluator::<f32>::with_order(&model, fnn_std::Order::Forward).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`model.onnx`: 65536 inputs with layers of up to 65536 neurons are too many to evaluate a \
         Jacobian: it would take 8591245329 numbers, wanted at most 34340868"
    );
    // The widest that makes as many outputs as it has inputs.
    let n = 3_000;
    let square = onnx(&["Relu(x) -> y"], &[1, n], &[]);
    assert!(said_by_program(&square, None).status.success());
    // Between one entry and many, as often as the numbers that a small file may make allow.
    let stored = [
        integers("row", &[65_536, 1]),
        integers("column", &[1, 65_536]),
    ];
    let layers = |count: usize| {
        let mut nodes = vec![
            "ConstantOfShape(row) -> r".to_owned(),
            "ConstantOfShape(column) -> c".to_owned(),
            "MatMul(x, r) -> h0".to_owned(),
        ];
        for i in 0..count {
            nodes.push(format!("MatMul(h{i}, c) -> g{i}"));
            nodes.push(format!("MatMul(g{i}, r) -> h{}", i + 1));
        }
        nodes.push(format!("Tanh(h{count}) -> y"));
        let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
        onnx(&nodes, &[1, 65_536], &stored)
    };
    let output = said_by_program(&layers(12), Some(&input));
    assert!(output.status.success(), "{output:?}");
    let line = refused(&layers(25));
    assert!(
        line.starts_with("the graph makes far more numbers"),
        "{line}"
    );
    let line = refused(&onnx(&["Relu(x) -> y"], &[1, 4_000], &[]));
    assert!(
        line.contains("are too many to evaluate a Jacobian"),
        "{line}"
    );
}

#[test]
fn sizes_that_onnx_files_declare_are_bounded() {
    for n in DECLARED {
        let relu = |sizes: &[i64]| refused(&onnx(&["Relu(x) -> y"], sizes, &[]));
        for sizes in [&[1, n][..], &[n], &[n, n], &[-1, 2, n], &[n, 1, n, 1]] {
            let line = relu(sizes);
            let is_size = line.contains("entries, wanted") || line.contains("has the shape");
            assert!(is_size, "{sizes:?}: {line}");
        }
        // The same behind constants of that size.
        for nodes in [
            &["ConstantOfShape(n) -> c", "Add(x, c) -> y"][..],
            &["ConstantOfShape(two) -> c", "Add(x, c) -> y"],
            &["Expand(x, n) -> y"],
            &["Expand(w, n) -> c", "Add(x, c) -> y"],
            &["Reshape(x, n) -> h", "Relu(h) -> y"],
            &["Reshape(w, n) -> c", "Add(x, c) -> y"],
            &["Gather(x, n) -> y, axis 1"],
            &["Gather(empty, n) -> c, axis 1", "Add(x, c) -> y"],
            &["Concat(empty, empty) -> c, axis 1", "Add(x, c) -> y"],
            &["Slice(x, n, n, one, n) -> y"],
            &["Split(x, two) -> y z, axis 1"],
            &["Squeeze(x, n) -> y"],
            &["Unsqueeze(x, n) -> y"],
            &["ReduceSum(x, n) -> y"],
            &["MatMul(x, claimed) -> y"],
            &["Add(x, claimed) -> y"],
            &["Transpose(empty) -> c, perm 1 0", "MatMul(x, c) -> y"],
            &["MatMul(x, empty) -> y"],
        ] {
            let stored = [
                integers("n", &[n]),
                integers("two", &[n, n]),
                integers("one", &[1]),
                floats("w", &[1], &[1.0]),
                floats("claimed", &[3, n], &[1.0; 3]),
                floats("empty", &[n, 0], &[]),
            ];
            let line = refused(&onnx(nodes, &[1, 3], &stored));
            assert!(line.len() < 500, "{nodes:?}: {line}");
        }
        let number = n.to_string();
        for attribute in [
            format!("Transpose(x) -> y, perm 0 {number}"),
            format!("Flatten(x) -> y, axis {number}"),
            format!("Softmax(x) -> y, axis {number}"),
            format!("Concat(x, x) -> y, axis {number}"),
            format!("Split(x) -> y, num_outputs {number}"),
            format!("Conv(p, k) -> y, pads {number} {number}"),
            format!("Conv(p, k) -> y, dilations {number} {number}, pads 0 {number}"),
            format!("Conv(p, k) -> y, group {number}"),
        ] {
            let nodes = ["Reshape(x, pixels) -> p", &attribute];
            let stored = [
                integers("pixels", &[1, 1, 3]),
                floats("k", &[1, 1, 2], &[1.0; 2]),
            ];
            let _ = refused(&onnx(&nodes, &[1, 3], &stored));
        }
    }
    let many = [value("x", &[1, 40_000]), value("u", &[1, 40_000])];
    assert_eq!(
        refused(&onnx_of(&["Add(x, u) -> y"], &many, &[], &[])),
        "the inputs have 80000 entries together, wanted 1 to 65536"
    );
    let name = "x".repeat(100_000);
    let long = [value(&name, &[1, 1_000])];
    let relu = format!("Relu({name}) -> y");
    let line = refused(&onnx_of(&[&relu], &long, &[], &[]));
    assert!(line.starts_with("the names of 1000 entries"), "{line}");
}

#[test]
fn small_onnx_files_of_many_nodes_stay_small() {
    let chain = |operators: &[&str], count: usize| -> Vec<String> {
        let name = |i: usize| match i {
            0 => "x".to_owned(),
            i if i == count => "y".to_owned(),
            i => format!("h{i}"),
        };
        let node = |i: usize| {
            let call = operators[i % operators.len()].replace('?', &name(i));
            format!("{call} -> {}", name(i + 1))
        };
        (0..count).map(node).collect()
    };
    let wide = 3_000_i64;
    let stored = [
        floats("ones", &[wide], &vec![1.0; wide as usize]),
        floats(
            "ramp",
            &[wide],
            &(0..wide).map(|i| i as f32).collect::<Vec<_>>(),
        ),
    ];
    for operators in [
        &["Relu(?)", "Tanh(?)"][..],
        &["Sigmoid(?)", "Add(?, ones)"],
        &["Add(?, ones)", "Mul(?, ramp)"],
        &["Max(?, ramp)", "Min(?, ramp)"],
        &["Pow(?, ones)"],
        &["Add(?, x)", "Tanh(?)"],
        &["Add(?, ?)", "Tanh(?)"],
        &["Div(?, ones)"],
        &["Concat(?)"],
        &["Softmax(?)"],
    ] {
        let nodes = chain(operators, 8_000);
        let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
        let _ = refused(&onnx(&nodes, &[1, wide], &stored));
    }
    // A short function with long names, called many times.
    let name = "n".repeat(60_000);
    let inner = node(&format!("Relu(a) -> {name}"));
    let outer = node(&format!("Relu({name}) -> b"));
    let function = [
        field(1, b"F"),
        field(4, b"a"),
        field(5, b"b"),
        field(7, &inner),
        field(7, &outer),
    ];
    let nodes = chain(&["F(?)"], 8_000);
    let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
    let function = field(25, &function.concat());
    let function = [vec![0xca, 0x01], function[1..].to_vec()].concat();
    let line = refused(&onnx_of(&nodes, &[value("x", &[1, 3])], &[], &function));
    assert!(line.starts_with("the calls of functions"), "{line}");
}

#[test]
fn what_an_onnx_file_holds_twice_is_refused_by_name() {
    let x = || value("x", &[1, 1]);
    let w = |number| floats("w", &[1], &[number]);
    let add = ["Add(x, w) -> y"];
    assert_eq!(
        refused(&onnx_of(&add, &[x(), x()], &[w(1.0)], &[])),
        "the graph has two inputs `x`"
    );
    assert_eq!(
        refused(&onnx_of(&add, &[x()], &[w(1.0), w(2.0)], &[])),
        "the graph stores two tensors `w`"
    );
    assert_eq!(
        refused(&onnx(&["Relu(x) -> y", "Tanh(x) -> y"], &[1, 1], &[])),
        "two nodes make the value `y`"
    );
    assert_eq!(
        refused(&onnx(
            &["Relu(x) -> w", "Add(x, w) -> y"],
            &[1, 1],
            &[w(1.0)]
        )),
        "the operator `Relu` of node 0 `w` makes the value `w`, which is a stored tensor of the \
         graph too"
    );
    assert_eq!(
        refused(&onnx(
            &["Relu(w) -> x", "Add(x, w) -> y"],
            &[1, 1],
            &[w(1.0)]
        )),
        "the operator `Relu` of node 0 `x` makes the value `x`, which is an input of the graph too"
    );
    assert_eq!(
        refused(&onnx(&["Softmax(x) -> y, axis 1, axis 0"], &[1, 1], &[])),
        "node 0, a `Softmax`, has the attribute `axis` twice"
    );
    let opset = field(8, &[field(1, b"ai.onnx"), integer(2, 6)].concat());
    assert_eq!(
        refused(&onnx_of(&["Relu(x) -> y"], &[x()], &[], &opset)),
        "the file names versions 17 and 6 of the operators of `ai.onnx`"
    );
    // Once as bytes and once as a list.
    let twice = [w(1.0), field(4, &2.0_f32.to_le_bytes())].concat();
    assert_eq!(
        refused(&onnx(&add, &[1, 1], &[twice])),
        "the tensor `w` holds its numbers twice"
    );
}

#[test]
fn tensors_in_other_files_take_no_more_than_these_have() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    fs::write(folder.path().join("w.bin"), [0x3f; 4000]).unwrap();
    let beside = |name: &str, count: i64, more: &[(&str, &str)]| {
        let entries = [("location", "w.bin")];
        let entries = entries.iter().chain(more).flat_map(|(key, text)| {
            let entry = [field(1, key.as_bytes()), field(2, text.as_bytes())];
            field(13, &entry.concat())
        });
        let (sizes, entries) = (integer(1, count as u64), entries.collect::<Vec<_>>());
        let place = [integer(2, 1), field(8, name.as_bytes()), integer(14, 1)].concat();
        [sizes, place, entries].concat()
    };
    let read = |stored: &[Vec<u8>]| {
        let names = ["x", "a", "b", "c", "d", "y"];
        let nodes = (0..5).map(|i| format!("Add({}, w{i}) -> {}", names[i], names[i + 1]));
        let nodes: Vec<_> = nodes.collect();
        let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
        fs::write(&path, onnx(&nodes, &[1, 1000], stored)).unwrap();
        import::read(&path, &import::Options::default())
    };
    let all = |count, more: &[(&str, &str)]| -> Vec<_> {
        (0..5)
            .map(|i| beside(&format!("w{i}"), count, more))
            .collect()
    };
    read(&all(1, &[])).unwrap();
    let error = |stored: &[Vec<u8>]| {
        let line = read(stored).unwrap_err().to_string();
        line.split_once("`: ").unwrap().1.to_owned()
    };
    assert_eq!(
        error(&all(1000, &[])),
        "5000 numbers are in other files, which have 4000 bytes"
    );
    for n in DECLARED {
        let mut stored = all(1, &[]);
        stored[4] = beside("w4", n, &[]);
        let line = error(&stored);
        assert!(line.contains("other file"), "{line}");
    }
    let twice = all(1, &[("offset", "0"), ("offset", "4")]);
    assert!(error(&twice).ends_with("its offset is stated twice"));
    for claim in ["4001", "9223372036854775807", "18446744073709551615", "-1"] {
        let _ = error(&all(1, &[("offset", claim)]));
        let _ = error(&all(1, &[("length", claim)]));
    }
}

#[test]
fn graphs_without_a_layer_are_refused() {
    let stored = [integers("shape", &[1, 3])];
    for nodes in [
        &["Identity(x) -> y"][..],
        &["Dropout(x) -> y"],
        &["Reshape(x, shape) -> y"],
        &["Flatten(x) -> h", "Identity(h) -> y"],
        &[
            "Split(x) -> a b c, axis 1, num_outputs 3",
            "Concat(a, b, c) -> y, axis 1",
        ],
    ] {
        let line = refused(&onnx(nodes, &[1, 3], &stored));
        assert!(
            line.starts_with("the graph has no layer: its output `y` is an input as it comes"),
            "{nodes:?}: {line}"
        );
    }
    let itself = onnx(&[], &[1, 3], &[]);
    let at = itself.iter().rposition(|&byte| byte == b'y').unwrap();
    let itself = [&itself[..at], b"x", &itself[at + 1..]].concat();
    let line = refused(&itself);
    assert!(
        line.starts_with("the graph has no layer: its output `x`"),
        "{line}"
    );
    // One of two inputs as it is.
    let two = [value("x", &[1, 3]), value("u", &[1, 2])];
    let line = refused(&onnx_of(&["Identity(x) -> y"], &two, &[], &[]));
    assert!(line.starts_with("the graph has no layer"), "{line}");
    // Scaling alone is a layer.
    let half = floats("half", &[], &[0.5]);
    let scaling = onnx(&["Mul(x, half) -> y"], &[1, 3], &[half]);
    assert!(said_by_program(&scaling, None).status.success());

    let input = || keras_layer("InputLayer", "x", json!({"batch_shape": [null, 3]}));
    for layers in [
        json!([input()]),
        json!([input(), keras_layer("Flatten", "f", json!({}))]),
        json!([
            input(),
            keras_layer("Dropout", "d", json!({})),
            keras_layer("Activation", "a", json!({"activation": "linear"})),
        ]),
    ] {
        let line = refused(&sequential(&layers));
        assert!(line.starts_with("the model has no layer"), "{line}");
    }
    let only = functional(&[layer("InputLayer", "x", &[])], "x");
    let line = refused(&keras(&only));
    assert!(line.starts_with("the model has no layer"), "{line}");
}

#[test]
fn keys_that_stand_twice_are_refused_by_name() {
    let entry = |start: usize| {
        let end = start + 4;
        format!(r#"{{"dtype":"F32","shape":[1,1],"data_offsets":[{start},{end}]}}"#)
    };
    let twice = |name: &str, line: String| {
        assert!(line.contains(&format!("`{name}` stands twice")), "{line}");
    };
    let header = format!(r#"{{"0.weight":{},"0.weight":{}}}"#, entry(0), entry(0));
    twice("0.weight", refused(&safetensors(&header, 4)));
    let header = format!(r#"{{"0.weight":{},"0.weight":{}}}"#, entry(0), entry(4));
    twice("0.weight", refused(&safetensors(&header, 8)));
    for inside in [
        r#""activations":"tanh","activations":"relu""#,
        r#""inputs":"a","activations":"tanh","inputs":"b""#,
    ] {
        let header = format!(r#"{{"__metadata__":{{{inside}}},"0.weight":{}}}"#, entry(0));
        let line = refused(&safetensors(&header, 4));
        assert!(line.contains("stands twice"), "{line}");
    }
    let header = r#"{"0.weight":{"dtype":"F32","shape":[1,1],"shape":[1,1],"data_offsets":[0,4]}}"#;
    twice("shape", refused(&safetensors(header, 4)));

    let json = |inside: &str| format!(r#"{{"version":1,"precision":"f32",{inside}}}"#).into_bytes();
    let softmax = r#"{"softmax":{"size":2}}"#;
    for (inside, key) in [
        (format!(r#""layers":[{softmax}],"layers":[]"#), "layers"),
        (
            r#""layers":[{"softmax":{"size":2,"size":3}}]"#.to_owned(),
            "size",
        ),
        (
            format!(r#""precision":"f64","layers":[{softmax}]"#),
            "precision",
        ),
    ] {
        let line = refused(&json(&inside));
        assert!(line.contains(&format!("duplicate field `{key}`")), "{line}");
    }
    let _ = refused(&json(
        r#""layers":[{"softmax":{"size":2},"softmax":{"size":3}}]"#,
    ));

    let config = r#"{"class_name":"Sequential","config":{"name":"m","layers":[
        {"class_name":"Dense","config":{"name":"d","units":3,"units":4}}]}}"#;
    let entries = [
        ("config.json", config.as_bytes()),
        ("model.weights.h5", b""),
    ];
    twice(
        "units",
        refused(&archive(&entries, CompressionMethod::Stored)),
    );
    let input = keras_layer("InputLayer", "x", json!({"batch_shape": [null, 3]}));
    let relu = keras_layer("ReLU", "r", json!({}));
    assert_eq!(
        refused(&sequential(&json!([input, relu, relu]))),
        "the model `m` has two layers `r`"
    );
    // Two groups of an HDF5 file: the name of one is written over.
    let mut h5 = data("keras/sequential.h5");
    for at in 0..h5.len() - 8 {
        if h5[at..].starts_with(b"dense_3\0") {
            h5[at + 6] = b'1';
        }
    }
    assert_eq!(
        refused(&h5),
        "the HDF5 file has two members `dense_1` in the group `/model_weights/`"
    );
}

/// The file with the text of a JSON value in its configuration replaced by one of the same length.
fn replaced(mut bytes: Vec<u8>, old: &str, new: &str) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let at = bytes.windows(old.len()).position(|w| w == old.as_bytes());
    let at = at.expect(old);
    bytes[at..at + old.len()].copy_from_slice(new.as_bytes());
    bytes
}

#[test]
fn keras_configurations_and_weights_agree_on_every_size() {
    // The weights are those of `functional.keras`.
    let mut original = ZipArchive::new(Cursor::new(data("keras/sequential.keras"))).unwrap();
    let mut part = |name: &str| {
        let mut bytes = Vec::new();
        let mut entry = original.by_name(name).unwrap();
        entry.read_to_end(&mut bytes).unwrap();
        bytes
    };
    let (config, weights) = (part("config.json"), part("model.weights.h5"));
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    let archived = |config: &serde_json::Value| {
        let config = config.to_string();
        let entries = [
            ("config.json", config.as_bytes()),
            ("model.weights.h5", &weights),
        ];
        archive(&entries, CompressionMethod::Stored)
    };
    assert!(said_by_program(&archived(&config), None).status.success());
    let mut changed = 0;
    let layers = config["config"]["layers"].as_array().unwrap();
    for at in 0..layers.len() {
        for key in ["units", "batch_shape"] {
            let value = &layers[at]["config"][key];
            if value.is_null() {
                continue;
            }
            for size in [1, 7, 65_537, i64::MAX] {
                let other = match key {
                    "units" => json!(size),
                    _ => json!([null, size]),
                };
                let mut config = config.clone();
                if other == *value {
                    continue;
                }
                config["config"]["layers"][at]["config"][key] = other;
                let line = refused(&archived(&config));
                let named = ["by the configuration", "entries", "the configuration gives"];
                let is_named = named.map(|part| line.contains(part));
                assert!(is_named.contains(&true), "{key} {size}: {line}");
                changed += 1;
            }
        }
    }
    assert!(changed >= 8, "{changed}");
    // What is no size, and what another place says of one.
    let first = layers
        .iter()
        .position(|layer| layer["class_name"] == "Dense");
    let first = first.unwrap();
    let input = layers
        .iter()
        .position(|layer| layer["class_name"] == "InputLayer");
    for (at, path, value) in [
        (first, "/config/units", json!(null)),
        (first, "/config/units", json!("8")),
        (first, "/build_config/input_shape", json!([null, 7])),
        (
            first,
            "/build_config/input_shape",
            json!([null, 100_000_000_000u64]),
        ),
        (input.unwrap(), "/config/batch_shape", json!([null, "x"])),
        (input.unwrap(), "/config/batch_shape", json!([null, -1])),
        (input.unwrap(), "/config/batch_shape", json!([null, 1.8e19])),
        (input.unwrap(), "/config/batch_shape", json!(3)),
    ] {
        let mut config = config.clone();
        let place = format!("/config/layers/{at}{path}");
        *config.pointer_mut(&place).unwrap() = value.clone();
        refused(&archived(&config));
    }
    // In one HDF5 file the text of the configuration is changed where it stands.
    let h5 = data("keras/sequential.h5");
    assert!(said_by_program(&h5, None).status.success());
    let text = String::from_utf8_lossy(&h5);
    let at = text.find("\"units\": ").expect("units in sequential.h5");
    let digits: String = text[at + 9..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let other = if digits.starts_with('9') { "8" } else { "9" };
    let (old, new) = (
        format!("\"units\": {digits}"),
        format!("\"units\": {other}{}", &digits[1..]),
    );
    let line = refused(&replaced(h5, &old, &new));
    assert!(line.contains("by the configuration"), "{line}");
}

#[test]
fn sizes_that_other_formats_declare_are_bounded() {
    for n in DECLARED {
        // Weights without numbers, of which only the shape is large.
        for (name, shape) in [
            ("0.weight", format!("[0,{n}]")),
            ("0.weight", format!("[{n},0]")),
            ("0.kernel", format!("[0,{n}]")),
            ("0.kernel", format!("[{n},0]")),
            ("0.kernel", format!("[{n},{n}]")),
            ("W0", format!("[0,{n}]")),
        ] {
            let header = format!(
                r#"{{"__metadata__":{{"activations":"tanh"}},"{name}":{{"dtype":"F32","shape":{shape},"data_offsets":[0,0]}}}}"#
            );
            let _ = refused(&safetensors(&header, 0));
            for order in ["False", "True"] {
                let shape = shape.replace('[', "(").replace(']', ")");
                let mut array = npy(&shape, &[]);
                if order == "True" {
                    array = replaced(array, "'fortran_order': False", "'fortran_order': True ");
                }
                let file = format!("{name}.npy");
                let entries = [(&*file, &array[..])];
                let _ = refused(&archive(&entries, CompressionMethod::Stored));
            }
        }
        let tail = safetensors("{}", 0)[8..].to_vec();
        let _ = refused(&[&n.to_le_bytes()[..], &tail].concat());
        let offsets =
            format!(r#"{{"0.weight":{{"dtype":"F32","shape":[1,1],"data_offsets":[0,{n}]}}}}"#);
        let _ = refused(&safetensors(&offsets, 4));
        for layer in [
            format!(r#"{{"softmax":{{"size":{n}}}}}"#),
            format!(r#"{{"select":{{"inputs":{n},"range":[0,1]}}}}"#),
            format!(r#"{{"select":{{"inputs":3,"range":[0,{n}]}}}}"#),
            format!(r#"{{"select":{{"inputs":3,"range":[{n},3]}}}}"#),
        ] {
            let text = format!(r#"{{"version":1,"precision":"f32","layers":[{layer}]}}"#);
            let _ = refused(text.as_bytes());
        }
        // Arrays of inputs.
        let relu = onnx(&["Relu(x) -> y"], &[1, 3], &[]);
        for shape in [
            format!("({n}, 3)"),
            format!("(1, {n})"),
            format!("({n}, 0)"),
            format!("({n},)"),
            format!("({n}, {n}, {n})"),
        ] {
            let _ = refused_at(&relu, Some(&npy(&shape, &[1.0, 2.0, 3.0])));
        }
    }
    // Zeros in a small archive that would be many values.
    let zeros = format!("[{}0]", "0,".repeat(7 << 20));
    let bomb = archive(
        &[("config.json", zeros.as_bytes()), ("model.weights.h5", b"")],
        CompressionMethod::Deflated,
    );
    let line = refused(&bomb);
    assert!(
        line.starts_with("the configuration `config.json` has 14680067 bytes"),
        "{line}"
    );
}

#[test]
fn models_of_many_layers_stay_small() {
    let text = |layers: &str| {
        format!(r#"{{"version":1,"precision":"f32","layers":[{layers}]}}"#).into_bytes()
    };
    let softmax = r#"{"softmax":{"size":1}}"#;
    let line = refused(&text(&vec![softmax; 50_000].join(",")));
    assert_eq!(
        line,
        "50000 layers one after the other, wanted at most 1024"
    );
    let deepest = text(&vec![softmax; 1024].join(","));
    assert!(said_by_program(&deepest, None).status.success());
    let branches = |count: usize| {
        let branch = format!("[{softmax}]");
        let branches = vec![&*branch; count].join(",");
        text(&format!(r#"{{"concat":{{"branches":[{branches}]}}}}"#))
    };
    let output = said_by_program(&branches(1024), None);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        refused(&branches(65_536)),
        "a concatenation of 65536 branches, wanted at most 1024"
    );

    let input = keras_layer("InputLayer", "x", json!({"batch_shape": [null, 60_000]}));
    let layers = (0..5_000).map(|i| {
        let activation = ["tanh", "relu"][i % 2];
        keras_layer(
            "Activation",
            &format!("a{i}"),
            json!({"activation": activation}),
        )
    });
    let _ = refused(&sequential(&[input].into_iter().chain(layers).collect()));
    // Models in models, each called twice by the one around it.
    let mut inside = json!({"class_name": "Dropout", "name": "d", "config": {"name": "d"}});
    for depth in 0..20 {
        let history = |name: &str, call: u64| json!({"class_name": "__keras_tensor__", "config": {"keras_history": [name, call, 0]}});
        let name = inside["config"]["name"].as_str().unwrap().to_owned();
        inside["name"] = json!(name);
        inside["inbound_nodes"] = json!([
            {"args": [history("x", 0)], "kwargs": {}},
            {"args": [history(&name, 0)], "kwargs": {}},
        ]);
        let input = json!({"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
            "config": {"name": "x", "batch_shape": [null, 8]}});
        inside = json!({"class_name": "Functional", "config": {
            "name": format!("m{depth}"), "layers": [input, inside],
            "input_layers": [["x", 0, 0]], "output_layers": [[name, 1, 0]],
        }});
    }
    assert_eq!(
        refused(&keras(&inside)),
        "the model calls more than 16384 layers"
    );
}
