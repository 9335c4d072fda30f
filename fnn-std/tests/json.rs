//! Models as JSON text: read, written, described by the schema; and converted between formats.

mod pattern;

use std::{fs, path::PathBuf};

use fnn_std::{
    Activation, Evaluator, Float, Model, Order, Precision,
    bound::{Arithmetic, bound},
    export, import,
    model::Layer,
    reference,
};
use serde_json::{Value, json};

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn read(name: &str) -> Model {
    import::read(data(name), &Default::default()).unwrap()
}

/// The schema of models, as far as JSON Schema's words are used there. `make.py --schema` compares
/// the examples with it by a library that knows all of them.
struct Schema(Value);

fn schema() -> Schema {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("model.schema.json");
    Schema(serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
}

impl Schema {
    fn is_valid(&self, value: &Value) -> bool {
        self.fits(&self.0, value)
    }

    fn fits(&self, schema: &Value, value: &Value) -> bool {
        let words = schema.as_object().unwrap();
        words.iter().all(|(word, wanted)| {
            let number = |value: &Value| value.as_f64().unwrap();
            let count = wanted.as_u64().unwrap_or_default() as usize;
            match (word.as_str(), value) {
                ("$schema" | "title" | "description" | "$defs", _) => true,
                ("$ref", _) => {
                    let path = wanted.as_str().unwrap().strip_prefix('#').unwrap();
                    self.fits(self.0.pointer(path).unwrap(), value)
                }
                ("type", _) => match wanted {
                    Value::Array(types) => types.iter().any(|wanted| is_type(wanted, value)),
                    wanted => is_type(wanted, value),
                },
                ("const", _) => value == wanted,
                ("enum", _) => wanted.as_array().unwrap().contains(value),
                ("oneOf", _) => {
                    let fitting = wanted.as_array().unwrap().iter();
                    fitting.filter(|wanted| self.fits(wanted, value)).count() == 1
                }
                ("properties", Value::Object(members)) => members.iter().all(|(key, value)| {
                    wanted
                        .get(key)
                        .is_none_or(|wanted| self.fits(wanted, value))
                }),
                ("additionalProperties", Value::Object(members)) => {
                    assert_eq!(wanted, &json!(false));
                    let known = &words["properties"];
                    members.keys().all(|key| known.get(key).is_some())
                }
                ("required", Value::Object(members)) => {
                    let mut keys = wanted.as_array().unwrap().iter();
                    keys.all(|key| members.contains_key(key.as_str().unwrap()))
                }
                ("minProperties", Value::Object(members)) => members.len() >= count,
                ("maxProperties", Value::Object(members)) => members.len() <= count,
                ("items", Value::Array(items)) => items.iter().all(|item| self.fits(wanted, item)),
                ("minItems", Value::Array(items)) => items.len() >= count,
                ("maxItems", Value::Array(items)) => items.len() <= count,
                ("uniqueItems", Value::Array(items)) => {
                    (1..items.len()).all(|i| !items[..i].contains(&items[i]))
                }
                ("minLength", Value::String(text)) => text.len() >= count,
                // There is one, of activations.
                ("pattern", Value::String(text)) => pattern::fits(wanted.as_str().unwrap(), text),
                ("minimum", Value::Number(_)) => number(value) >= number(wanted),
                ("maximum", Value::Number(_)) => number(value) <= number(wanted),
                ("exclusiveMinimum", Value::Number(_)) => number(value) > number(wanted),
                // Words about values of another type.
                (
                    "properties"
                    | "additionalProperties"
                    | "required"
                    | "minProperties"
                    | "maxProperties"
                    | "items"
                    | "minItems"
                    | "maxItems"
                    | "uniqueItems"
                    | "minLength"
                    | "pattern"
                    | "minimum"
                    | "maximum"
                    | "exclusiveMinimum",
                    _,
                ) => true,
                (word, _) => panic!("the schema has the word `{word}`"),
            }
        })
    }
}

fn is_type(wanted: &Value, value: &Value) -> bool {
    match wanted.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|x| x.fract() == 0.0),
        other => panic!("the schema has the type `{other}`"),
    }
}

/// The models that Keras wrote, and those by hand.
const MODELS: [&str; 8] = [
    "keras/sequential.keras",
    "keras/functional.keras",
    "keras/activations.keras",
    "keras/nested.keras",
    "keras/double.keras",
    "keras/legacy.h5",
    "json/pendulum.json",
    "json/every_kind.json",
];

#[test]
fn what_is_written_reads_back_to_the_same_bits_and_fits_the_schema() {
    let schema = schema();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.json");
    for name in MODELS {
        let model = read(name);
        export::write(&model, &path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert!(schema.is_valid(&value), "{name}");
        let again = import::read(&path, &Default::default()).unwrap();
        // Debug tells −0 from 0, as equality does not.
        assert_eq!(
            format!("{:?}", model.layers()),
            format!("{:?}", again.layers()),
            "{name}"
        );
        assert_eq!(model.precision(), again.precision());
        assert_eq!(model.input_names(), again.input_names());
        assert_eq!(model.output_names(), again.output_names());
        assert_eq!(model.input_ranges(), again.input_ranges());
        assert_eq!(model.notes(), again.notes());
    }
}

#[test]
fn odd_numbers_read_back_to_the_same_bits() {
    // Every exponent of f64, with bits from a linear congruential generator.
    let mut state = 1u64;
    let mut numbers: Vec<f64> = (0..2046u64)
        .map(|exponent| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            f64::from_bits(exponent << 52 | state >> 12 | state << 63)
        })
        .collect();
    numbers.extend([-0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, 1.0 / 3.0]);
    let layer = fnn_std::model::Affine::new("a", numbers.clone(), numbers, Activation::Elu(0.1));
    let model = Model::new(vec![layer.unwrap()], Precision::F64).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.json");
    export::write(&model, &path).unwrap();
    let again = import::read(&path, &Default::default()).unwrap();
    let bits = |model: &Model| match &model.layers()[0] {
        Layer::Affine(a) => a.scale().iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    assert_eq!(bits(&model).len(), 2051);
    assert_eq!(bits(&model), bits(&again));
}

#[test]
fn examples_by_hand_are_what_they_say() {
    let model = read("json/pendulum.json");
    assert_eq!(model.input_names().unwrap(), ["angle_rad", "torque_nm"]);
    assert_eq!(model.input_ranges().unwrap(), [-3.2..3.2, -1.0..1.0]);
    let y = reference::evaluate(&model, &[0.8, -0.6]).unwrap();
    // By hand: tanh of (0.345, 0.07, −0.755), then 1, −2, 1/2 of them and 1/4.
    let z: [f64; 3] = [
        0.5 * 0.25 + 0.12 + 0.1,
        0.25 - 0.18,
        -0.7 * 0.25 - 0.48 - 0.1,
    ];
    let expected = z[0].tanh() - 2.0 * z[1].tanh() + 0.5 * z[2].tanh() + 0.25;
    assert!((y.value[0] - expected).abs() < 1e-15);

    let model = read("json/every_kind.json");
    let kinds: Vec<_> = model.layers().iter().map(Layer::kind).collect();
    assert_eq!(kinds, ["concat", "layer norm", "residual", "softmax"]);
    // 0.1 is the number of f32 that is nearest to it.
    let Layer::Concat(concat) = &model.layers()[0] else {
        panic!("{:?}", model.layers()[0])
    };
    let dense = concat.branches()[0][1].as_dense().unwrap();
    assert_eq!(dense.rows().next().unwrap(), [1.0, 0.0, f64::from(0.1f32)]);
    assert_eq!(dense.name(), "layers[0].branches[0][1]");
    for x in [[0.3, -0.8, 0.5, 1.0], [-2.0, 0.1, 0.7, -0.4]] {
        near_the_reference::<f32>(&model, &x);
        near_the_reference::<f64>(&model, &x);
    }
}

/// Value and Jacobian of the evaluator are those of the reference, within the errors of both.
fn near_the_reference<T: Float>(model: &Model, x: &[f64]) {
    let (inputs, outputs) = (model.inputs(), model.outputs());
    let (mut value, mut jacobian) = (vec![T::ZERO; outputs], vec![T::ZERO; outputs * inputs]);
    let x_t: Vec<T> = x.iter().map(|&x| T::from_f64(x)).collect();
    let mut evaluator = Evaluator::<T>::new(model).unwrap();
    evaluator.evaluate(&x_t, &mut value, &mut jacobian).unwrap();
    let reference = reference::evaluate(model, x).unwrap();
    let ours = bound(model, x, Arithmetic::new(T::PRECISION, Order::Auto)).unwrap();
    let its = bound(model, x, Arithmetic::of_reference()).unwrap();
    let found = value.iter().chain(&jacobian).map(|x| x.to_f64());
    let wanted = [reference.value, reference.jacobian.concat()].concat();
    let ours = [ours.value, ours.jacobian.concat()].concat();
    let its = [its.value, its.jacobian.concat()].concat();
    for ((found, wanted), (ours, its)) in found.zip(wanted).zip(ours.iter().zip(its)) {
        let allowed = ours + its;
        assert!(allowed < 1e-3, "{allowed:e}");
        assert!((found - wanted).abs() <= allowed, "{found}, not {wanted}");
    }
}

/// A model of these layers.
fn document(layers: &Value) -> Value {
    json!({"version": 1, "precision": "f64", "layers": layers})
}

#[test]
fn mistakes_are_named_by_their_places_and_the_schema_sees_them_too() {
    let schema = schema();
    let dense = json!({"dense": {"weight": [[1, 2]]}});
    let ok = document(&json!([dense]));
    assert!(schema.is_valid(&ok));
    import::parse(ok.to_string().as_bytes(), &Default::default()).unwrap();
    for (value, expected) in [
        (
            json!({"precision": "f64", "layers": [dense]}),
            "the JSON text is not a model: missing field `version`",
        ),
        (
            json!({"version": 2, "precision": "f64", "layers": [dense]}),
            "the JSON text is of version 2, wanted 1",
        ),
        (
            json!({"version": 1, "precision": "f16", "layers": [dense]}),
            "the precision `f16` is neither `f32` nor `f64`",
        ),
        (document(&json!([])), "a model without layers"),
        (
            document(&json!([{"conv": {}}])),
            "the JSON text is not a model: unknown variant `conv`, expected one of `dense`, \
             `affine`, `layer_norm`, `softmax`, `select`, `residual`, `concat`",
        ),
        (
            document(&json!([{"dense": {"weight": [[1]], "activations": "tanh"}}])),
            "the JSON text is not a model: unknown field `activations`, expected one of `name`, \
             `weight`, `bias`, `activation`",
        ),
        (
            document(&json!([dense, {"dense": {"weight": [[1]], "activation": "softmax"}}])),
            "the layer of `layers[1]`: the activation `softmax` is not supported",
        ),
        (
            document(&json!([{"softmax": {"size": 0}}])),
            "the layer of `layers[0]` has 0 entries, wanted 1 to 65536",
        ),
        (
            document(&json!([{"residual": {"layers": []}}])),
            "a residual layer without layers inside",
        ),
        (
            document(&json!([{"concat": {"branches": [[dense]]}}])),
            "a concatenation of fewer than two branches with layers",
        ),
        (
            json!({"version": 1, "precision": "f64", "outputs": [""], "layers": [dense]}),
            "the name of output 0 is empty",
        ),
        (
            document(&json!([{"layer_norm": {"scale": [1], "shift": [0], "epsilon": 0}}])),
            "the layer norm of `layers[0]` has the epsilon 0.0, wanted a number above zero",
        ),
    ] {
        assert!(!schema.is_valid(&value), "{value}");
        let found = error(value.to_string().as_bytes());
        let place = found.strip_prefix(expected);
        // serde_json says the line and the column too.
        assert!(
            place.is_some_and(|p| p.is_empty() || p.starts_with(" at line 1 column ")),
            "{found}, not {expected}"
        );
    }
    // What no schema can say.
    for (layers, expected) in [
        (
            json!([{"dense": {"weight": [[1, 2], [3]]}}]),
            "row 1 of the weight of `layers[0]` has 1 numbers and row 0 has 2",
        ),
        (
            json!([dense, {"concat": {"branches": [[{"softmax": {"size": 1}}], [dense]]}}]),
            "the branch of `layers[1].branches[0][0]` takes 1 inputs and that of \
             `layers[1].branches[1][0]` beside it 2",
        ),
    ] {
        let value = document(&layers);
        assert!(schema.is_valid(&value), "{value}");
        assert_eq!(error(value.to_string().as_bytes()), expected);
    }
    assert_eq!(
        error(
            br#"{"version": 1, "precision": "f64", "layers": [{"dense": {"weight": [[1e999]]}}]}"#
        ),
        "the JSON text is not a model: number out of range at line 1 column 74"
    );
    // Beyond f32.
    let value =
        json!({"version": 1, "precision": "f32", "layers": [{"dense": {"weight": [[1e39]]}}]});
    assert_eq!(
        error(value.to_string().as_bytes()),
        "the tensor `layers[0]` holds inf (number 0 of 1); weights must be finite"
    );
}

fn error(bytes: &[u8]) -> String {
    import::parse(bytes, &Default::default())
        .unwrap_err()
        .to_string()
}

#[test]
fn every_activation_fits_the_schema() {
    let schema = schema();
    for activation in Activation::ALL {
        let layers = json!([{"dense": {"weight": [[1]], "activation": activation.to_string()}}]);
        assert!(schema.is_valid(&document(&layers)), "{activation}");
    }
}

/// The pattern takes what the parser takes, and nothing else.
#[test]
fn the_schema_takes_the_activations_that_are_parsed() {
    let schema = schema();
    let names: Vec<_> = Activation::ALL.iter().map(ToString::to_string).collect();
    let names = names.iter().map(|name| name.split('(').next().unwrap());
    let (mut taken, mut refused) = (0, 0);
    for name in names.chain(["swish", "linear", "Tanh", "tanhh", ""]) {
        for parameters in [
            "",
            "(0.5)",
            " ( -.5 )",
            "(+1.e-3)",
            "(1E+2)",
            "()",
            "(0x1)",
            "(a)",
            "(1,2)",
            "(nan)",
            "(inf)",
            "(-1:2)",
            "( -1.5 : 1e3 )",
            "(-inf:0)",
            "(0:+inf)",
            "(:1)",
            "(1:)",
            "(1:2:3)",
            "(0.5",
            "0.5)",
            "((1))",
            "(1)(2)",
        ] {
            for text in [
                format!("{name}{parameters}"),
                format!(" {name}{parameters}\t"),
            ] {
                let layers = json!([{"dense": {"weight": [[1]], "activation": text}}]);
                // A pattern says nothing of the range of a number.
                let is_parsed = match text.parse::<Activation>() {
                    Ok(_) => true,
                    Err(error) => error.to_string().contains("a rounding of it"),
                };
                assert_eq!(schema.is_valid(&document(&layers)), is_parsed, "`{text}`");
                *if is_parsed { &mut taken } else { &mut refused } += 1;
            }
        }
    }
    assert!(taken > 50 && refused > 500, "{taken} {refused}");
}

#[test]
fn dense_models_go_to_safetensors_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let ranged = read("keras/double.keras")
        .with_input_ranges(vec![-1.5..0.1; 3])
        .unwrap();
    let every = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/every/every.safetensors");
    let every = import::read(every, &Default::default()).unwrap();
    for model in [ranged, every] {
        export::write(&model, &path).unwrap();
        let again = import::read(&path, &Default::default()).unwrap();
        let layers = |model: &Model| -> Vec<_> {
            let dense = model.as_dense().unwrap().into_iter();
            dense
                .map(|l| {
                    let rows: Vec<_> = l.rows().map(<[f64]>::to_vec).collect();
                    (rows, l.bias().to_vec(), l.activation())
                })
                .collect()
        };
        assert_eq!(layers(&model), layers(&again));
        assert_eq!(model.precision(), again.precision());
        assert_eq!(model.input_ranges(), again.input_ranges());
    }
}

#[test]
fn the_configuration_of_a_keras_model_is_told() {
    let text = r#"{"class_name": "Sequential", "config": {"layers": []}}"#;
    let error = import::parse(text.as_bytes(), &Default::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "this is the configuration of a Keras model, of the class `Sequential`, without its weights"
    );
}

#[test]
fn what_a_format_cannot_hold_is_refused_and_nothing_written() {
    let folder = tempfile::tempdir().unwrap();
    let error = |from: &str, to: &str| {
        let to = folder.path().join(to);
        let error = export::run(&data(from), &to, &Default::default()).unwrap_err();
        assert!(!to.exists());
        let line = error.to_string();
        line.replace(&folder.path().display().to_string(), "")
    };
    assert_eq!(
        error("json/every_kind.json", "a.safetensors"),
        "`/a.safetensors`: the layer of `layers[0].branches[0][0]` is of the kind concat; \
         safetensors files hold dense layers only"
    );
    assert_eq!(
        error("json/every_kind.json", "a.npz"),
        "`/a.npz`: found a name that ends in `.npz`, wanted one that ends in .json, \
         .onnx or .safetensors"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    let path = folder.path().join("a.json");
    fs::copy(data("json/pendulum.json"), &path).unwrap();
    let error = export::run(&path, &path, &Default::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("this file is read here, wanted another one to write")
    );
    let model = read("json/pendulum.json").with_input_names(vec!["a,b".into(), "c".into()]);
    let dense = Model::new(vec![model.unwrap().layers()[1].clone()], Precision::F64).unwrap();
    let named = dense
        .with_input_names(vec!["a,b".into(), "c".into()])
        .unwrap();
    let error = export::write(&named, folder.path().join("b.safetensors")).unwrap_err();
    assert!(error.to_string().contains("`a,b` has a comma"));
}
