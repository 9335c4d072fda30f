//! Small graphs, built of the messages that files hold.

use prost::Message as _;

use super::{super::Options, parse, proto};
use crate::{
    activation::Activation,
    error::Result,
    model::{Layer, Model, Precision},
    reference,
};

/// A graph that is being built.
#[derive(Clone)]
struct File(proto::Model);

enum Attribute<'a> {
    Int(i64),
    Ints(&'a [i64]),
    Float(f32),
    Text(&'a str),
    Tensor(Box<proto::Tensor>),
}
use Attribute::{Float, Int, Ints, Text};

/// An axis without a declared size.
const OPEN: i64 = -1;

impl File {
    fn new() -> Self {
        Self::version(17)
    }

    fn version(version: i64) -> Self {
        Self(proto::Model {
            ir_version: 8,
            opset_import: vec![proto::OperatorSet {
                domain: String::new(),
                version,
            }],
            graph: Some(proto::Graph::default()),
            ..Default::default()
        })
    }

    fn graph(&mut self) -> &mut proto::Graph {
        self.0.graph.get_or_insert_default()
    }

    fn input(mut self, name: &str, shape: &[i64]) -> Self {
        self.graph().input.push(info(name, 1, shape));
        self
    }

    fn output(mut self, name: &str) -> Self {
        self.graph().output.push(info(name, 1, &[]));
        self
    }

    fn weight(mut self, name: &str, shape: &[i64], numbers: &[f32]) -> Self {
        self.graph().initializer.push(tensor(name, shape, numbers));
        self
    }

    fn integers(mut self, name: &str, numbers: &[i64]) -> Self {
        self.graph().initializer.push(proto::Tensor {
            name: name.to_owned(),
            dims: vec![numbers.len() as i64],
            data_type: 7,
            int64_data: numbers.to_vec(),
            ..Default::default()
        });
        self
    }

    fn node(self, operator: &str, inputs: &[&str], output: &str) -> Self {
        self.node_with(operator, inputs, &[output], vec![])
    }

    fn node_with(
        mut self,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: Vec<(&str, Attribute<'_>)>,
    ) -> Self {
        self.graph()
            .node
            .push(node(operator, inputs, outputs, attributes));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    fn model(&self) -> Result<Model> {
        parse(&self.bytes().into(), None, &Options::default())
    }

    /// The output for an input, by the plain evaluation.
    fn at(&self, x: &[f64]) -> Vec<f64> {
        let model = self.model().unwrap();
        reference::evaluate(&model, x).unwrap().value
    }

    fn refused(&self) -> String {
        self.model().unwrap_err().to_string()
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.model()
            .unwrap()
            .layers()
            .iter()
            .map(Layer::kind)
            .collect()
    }
}

fn info(name: &str, elem_type: i32, shape: &[i64]) -> proto::ValueInfo {
    let dim = |&n: &i64| proto::Dimension {
        value: (n != OPEN).then_some(n),
        ..Default::default()
    };
    proto::ValueInfo {
        name: name.to_owned(),
        kind: Some(proto::Type {
            tensor: Some(proto::TensorType {
                elem_type,
                shape: Some(proto::Shape {
                    dim: shape.iter().map(dim).collect(),
                }),
            }),
        }),
    }
}

fn tensor(name: &str, shape: &[i64], numbers: &[f32]) -> proto::Tensor {
    proto::Tensor {
        name: name.to_owned(),
        dims: shape.to_vec(),
        data_type: 1,
        float_data: numbers.to_vec(),
        ..Default::default()
    }
}

fn node(
    operator: &str,
    inputs: &[&str],
    outputs: &[&str],
    attributes: Vec<(&str, Attribute<'_>)>,
) -> proto::Node {
    let (domain, op_type) = operator.rsplit_once('.').unwrap_or(("", operator));
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let attribute = |(name, value): (&str, Attribute<'_>)| {
        let mut attribute = proto::Attribute {
            name: name.to_owned(),
            ..Default::default()
        };
        match value {
            Int(i) => (attribute.kind, attribute.i) = (2, i),
            Float(f) => (attribute.kind, attribute.f) = (1, f),
            Ints(ints) => (attribute.kind, attribute.ints) = (7, ints.to_vec()),
            Text(s) => (attribute.kind, attribute.s) = (3, s.as_bytes().to_vec().into()),
            Attribute::Tensor(t) => (attribute.kind, attribute.t) = (4, Some(*t)),
        }
        attribute
    };
    proto::Node {
        input: owned(inputs),
        output: owned(outputs),
        op_type: op_type.to_owned(),
        domain: domain.to_owned(),
        attribute: attributes.into_iter().map(attribute).collect(),
        ..Default::default()
    }
}

/// y = W x + b with W = [[1, 2, 3], [4, 5, 6]] and b = [10, 20].
fn dense(x: &[f64]) -> Vec<f64> {
    vec![
        10.0 + x[0] + 2.0 * x[1] + 3.0 * x[2],
        20.0 + 4.0 * x[0] + 5.0 * x[1] + 6.0 * x[2],
    ]
}

const X: [f64; 3] = [0.5, -1.0, 2.0];

fn with_weights() -> File {
    File::new()
        .input("x", &[OPEN, 3])
        .weight("W", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        .weight("V", &[3, 2], &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0])
        .weight("b", &[2], &[10.0, 20.0])
        .weight("c", &[2, 1], &[10.0, 20.0])
        .output("y")
}

#[test]
fn a_dense_layer_is_read_however_it_is_written() {
    let with = |attributes| with_weights().node_with("Gemm", &["x", "W", "b"], &["y"], attributes);
    let gemm = with(vec![("transB", Int(1))]);
    let files = [
        gemm.clone(),
        with_weights().node("Gemm", &["x", "V", "b"], "y"),
        with_weights()
            .node("MatMul", &["x", "V"], "z")
            .node("Add", &["z", "b"], "y"),
        with_weights()
            .node("MatMul", &["x", "V"], "z")
            .node("Add", &["b", "z"], "y"),
        // Nodes in any order.
        with_weights()
            .node("Add", &["b", "z"], "y")
            .node("MatMul", &["x", "V"], "z"),
        with_weights()
            .node("Identity", &["V"], "U")
            .node("Transpose", &["W"], "T")
            .node("MatMul", &["x", "T"], "z")
            .node_with(
                "Constant",
                &[],
                &["d"],
                vec![(
                    "value",
                    Attribute::Tensor(Box::new(tensor("", &[1, 2], &[10.0, 20.0]))),
                )],
            )
            .node("Add", &["z", "d"], "y"),
    ];
    for file in &files {
        assert_eq!(file.at(&X), dense(&X));
        let model = file.model().unwrap();
        assert_eq!(model.as_dense().map(|layers| layers.len()), Some(1));
        assert_eq!(model.precision(), Precision::F32);
        assert_eq!(model.input_names().unwrap(), ["x[0]", "x[1]", "x[2]"]);
        assert_eq!(model.output_names().unwrap(), ["y[0]", "y[1]"]);
    }
    assert_eq!(gemm.model().unwrap().notes(), [""; 0]);
    let scaled = with(vec![
        ("transB", Int(1)),
        ("alpha", Float(2.0)),
        ("beta", Float(0.5)),
    ]);
    assert_eq!(scaled.at(&X), [14.0, 28.0]);
}

#[test]
fn vectors_may_be_columns() {
    let column = |shape: &[i64]| {
        let mut file = with_weights();
        file.graph().input[0] = info("x", 1, shape);
        file.node("MatMul", &["W", "x"], "z")
            .node("Add", &["z", "c"], "y")
    };
    for shape in [&[3, 1][..], &[3, OPEN], &[OPEN, 3, 1], &[1, 3, 1]] {
        assert_eq!(column(shape).at(&X), dense(&X), "{shape:?}");
    }
    let mut alone = with_weights()
        .node("MatMul", &["W", "x"], "z")
        .node("Add", &["z", "b"], "y");
    alone.graph().input[0] = info("x", 1, &[3]);
    assert_eq!(alone.at(&X), dense(&X));
}

#[test]
fn activations_become_part_of_their_layer() {
    for (operator, activation) in [
        ("Relu", Activation::Relu),
        ("Tanh", Activation::Tanh),
        ("Sigmoid", Activation::Sigmoid),
        ("Softplus", Activation::Softplus),
        ("Softsign", Activation::Softsign),
        ("Mish", Activation::Mish),
        ("HardSwish", Activation::HardSwish),
        ("Gelu", Activation::Gelu),
        ("Selu", Activation::Selu),
        ("Elu", Activation::Elu(1.0)),
        ("LeakyRelu", Activation::LeakyRelu(f64::from(0.01_f32))),
    ] {
        let file = with_weights()
            .node("Gemm", &["x", "V", "b"], "z")
            .node(operator, &["z"], "y");
        let model = file.model().unwrap();
        let layers = model.as_dense().unwrap();
        assert_eq!(layers.len(), 1);
        assert_eq!(layers[0].activation(), activation);
        assert_eq!(layers[0].name(), "V");
    }
}

#[test]
fn scaling_becomes_affine_layers_and_says_so() {
    let file = File::new()
        .input("x", &[OPEN, 3])
        .weight("mean", &[1, 3], &[1.0, 2.0, 3.0])
        .weight("std", &[3], &[2.0, 4.0, 10.0])
        .weight("V", &[3, 2], &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0])
        .weight("two", &[], &[2.0])
        .output("y")
        .node("Sub", &["x", "mean"], "a")
        .node("Div", &["a", "std"], "n")
        .node("MatMul", &["n", "V"], "z")
        .node("Mul", &["two", "z"], "y");
    let model = file.model().unwrap();
    // The mean is taken off before the division, as in the graph: folded, the two could cancel.
    assert_eq!(file.kinds(), ["affine", "affine", "dense", "affine"]);
    assert_eq!(
        model.notes(),
        [
            "the operator `Div` of node 1 `n` becomes a product with the rounded reciprocal, which \
             changes the last place"
        ]
    );
    let [Layer::Affine(less), Layer::Affine(divided), ..] = model.layers() else {
        panic!("{:?}", model.layers());
    };
    assert_eq!(less.scale(), [1.0; 3]);
    assert_eq!(less.shift(), [-1.0, -2.0, -3.0]);
    assert_eq!(divided.scale(), [0.5, 0.25, f64::from(0.1_f32)]);
    assert_eq!(divided.shift(), [0.0; 3]);
}

#[test]
fn residual_and_joined_branches_become_layers() {
    let file = with_weights()
        .weight("S", &[3, 3], &[1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 3.0])
        .node("MatMul", &["x", "S"], "s")
        .node("Tanh", &["s"], "t")
        .node("Add", &["t", "x"], "r")
        .node("MatMul", &["r", "V"], "y");
    assert_eq!(file.kinds(), ["residual", "dense"]);

    let two = File::new()
        .input("x", &[OPEN, 2])
        .input("u", &[OPEN, 1])
        .weight("A", &[2, 2], &[1.0, 2.0, 3.0, 4.0])
        .weight("B", &[1, 2], &[10.0, 20.0])
        .output("y")
        .node("MatMul", &["x", "A"], "a")
        .node("MatMul", &["u", "B"], "b")
        .node("Add", &["a", "b"], "y");
    assert_eq!(two.kinds(), ["concat", "dense"]);
    assert_eq!(
        two.at(&[1.0, 10.0, 0.5]),
        [1.0 + 30.0 + 5.0, 2.0 + 40.0 + 10.0]
    );
    let model = two.model().unwrap();
    assert_eq!(model.input_names().unwrap(), ["x[0]", "x[1]", "u"]);
}

#[test]
fn clips_by_relu_min_and_max_are_one_activation() {
    let file = with_weights()
        .weight("six", &[], &[6.0])
        .node("Gemm", &["x", "V", "b"], "z")
        .node("Relu", &["z"], "r")
        .node("Min", &["r", "six"], "y");
    let model = file.model().unwrap();
    let layers = model.as_dense().unwrap();
    let clip = Activation::Clip {
        low: 0.0,
        high: 6.0,
    };
    assert_eq!(layers[0].activation(), clip);
    // Version 6 has the bounds in attributes.
    let old = File::version(6)
        .input("x", &[OPEN, 3])
        .output("y")
        .node_with(
            "Clip",
            &["x"],
            &["y"],
            vec![("min", Float(0.0)), ("max", Float(6.0))],
        );
    assert_eq!(old.at(&[-1.0, 3.0, 7.0]), [0.0, 3.0, 6.0]);
}

/// A shared layer with two heads: `pos` of two entries and `vel` of one.
fn two_heads() -> File {
    let mut file = with_weights()
        .weight("P", &[2, 2], &[1.0, 2.0, 3.0, 4.0])
        .weight("Q", &[2, 1], &[5.0, 6.0])
        .node("Gemm", &["x", "V", "b"], "h")
        .node("MatMul", &["h", "P"], "pos")
        .node("MatMul", &["h", "Q"], "vel")
        .output("pos")
        .output("vel");
    file.graph().output.remove(0);
    file
}

fn named(file: &File, name: &str) -> Result<Model> {
    let options = Options {
        output_name: Some(name.to_owned()),
        ..Default::default()
    };
    parse(&file.bytes().into(), None, &options)
}

/// What is refused with two outputs, and the advice that comes with it.
fn refused_with_choice(file: &File) -> String {
    let error = file.model().unwrap_err();
    let help: Vec<_> = error.help().collect();
    assert!(
        help.ends_with(&["the outputs are pos, vel", "name one: --output-name NAME"]),
        "{error:?}"
    );
    error.to_string()
}

#[test]
fn several_outputs_are_taken_one_after_the_other() {
    let file = two_heads();
    let h = dense(&X);
    let pos = [h[0] + 3.0 * h[1], 2.0 * h[0] + 4.0 * h[1]];
    let vel = 5.0 * h[0] + 6.0 * h[1];
    assert_eq!(file.at(&X), [pos[0], pos[1], vel]);
    let model = file.model().unwrap();
    assert_eq!(model.output_names().unwrap(), ["pos[0]", "pos[1]", "vel"]);
    let note = "the outputs `pos`, `vel` are taken one after the other";
    assert_eq!(model.notes(), [note]);
    // What both need is one layer, before them.
    assert_eq!(file.kinds(), ["dense", "concat"]);

    // In the order of the file, whatever the order of the nodes.
    let mut turned = file.clone();
    turned.graph().output.reverse();
    assert_eq!(turned.at(&X), [vel, pos[0], pos[1]]);
    assert_eq!(
        turned.model().unwrap().output_names().unwrap(),
        ["vel", "pos[0]", "pos[1]"]
    );

    // One that another is made of, and one that is an input.
    let mut within = two_heads().output("h").output("x");
    assert_eq!(
        within.at(&X),
        [pos[0], pos[1], vel, h[0], h[1], X[0], X[1], X[2]]
    );
    // The same one twice has no names of its own.
    within.graph().output = [info("vel", 1, &[]), info("vel", 1, &[])].into();
    assert_eq!(within.at(&X), [vel, vel]);
    assert_eq!(within.model().unwrap().output_names(), None);
}

#[test]
fn parts_of_one_vector_are_outputs_in_any_order() {
    let mut file = File::new()
        .input("x", &[OPEN, 3])
        .integers("lengths", &[1, 2])
        .output("a")
        .output("b")
        .node("Tanh", &["x"], "t")
        .node_with(
            "Split",
            &["t", "lengths"],
            &["a", "b"],
            vec![("axis", Int(1))],
        );
    let [a, b, c] = X.map(f64::tanh);
    assert_eq!(file.at(&X), [a, b, c]);
    file.graph().output.reverse();
    assert_eq!(file.at(&X), [b, c, a]);
    assert_eq!(
        file.model().unwrap().notes(),
        [
            "the outputs `b`, `a` are taken one after the other",
            "the join of the outputs becomes a concatenation of selections"
        ]
    );
}

#[test]
fn one_of_several_outputs_is_picked_by_its_name() {
    let file = two_heads();
    let vel = named(&file, "vel").unwrap();
    assert_eq!(vel.output_names().unwrap(), ["vel"]);
    assert_eq!(vel.notes(), [""; 0]);
    let pos = reference::evaluate(&named(&file, "pos").unwrap(), &X).unwrap();
    assert_eq!(pos.value, file.at(&X)[..2]);
    let error = named(&file, "z").unwrap_err();
    assert_eq!(error.to_string(), "the graph has no output `z`");
    assert_eq!(error.help().last(), Some("the outputs are pos, vel"));
}

#[test]
fn labels_beside_outputs_are_left_aside() {
    let mut file = two_heads();
    file.graph().output.insert(1, info("label", 7, &[]));
    let model = file.model().unwrap();
    assert_eq!(model.output_names().unwrap(), ["pos[0]", "pos[1]", "vel"]);
    assert_eq!(
        model.notes(),
        [
            "the output `label`, a label, is left aside",
            "the outputs `pos`, `vel` are taken one after the other"
        ]
    );
    // Beside a label a single output is as if it were alone.
    file.graph().output.pop();
    let model = file.model().unwrap();
    assert_eq!(
        model.notes(),
        ["the output `label`, a label, is left aside"]
    );
    file.graph().output.remove(0);
    file.graph().output.push(info("other", 7, &[]));
    assert_eq!(
        file.refused(),
        "the graph has 2 outputs, all of them labels; wanted numbers"
    );
}

#[test]
fn an_output_that_cannot_be_read_is_named() {
    let head = |operator: &str, inputs: &[&str]| {
        let mut file = two_heads();
        file.graph().node.pop();
        file.node(operator, inputs, "vel")
    };
    let unsupported = head("Sin", &["h"]);
    assert_eq!(
        refused_with_choice(&unsupported),
        "the output `vel`: the operator `Sin` of node 2 `vel` is not supported"
    );
    assert_eq!(
        named(&unsupported, "pos").unwrap().output_names().unwrap(),
        ["pos[0]", "pos[1]"]
    );
    assert_eq!(
        named(&unsupported, "vel").unwrap_err().to_string(),
        "the operator `Sin` of node 2 `vel` is not supported"
    );
    // It is named wherever it is in the file.
    let mut first = unsupported;
    let outputs = &mut first.graph().output;
    outputs.reverse();
    assert!(first.refused().starts_with("the output `vel`: "));

    // What no layer computes shows only when layers are made.
    assert_eq!(
        refused_with_choice(&head("Exp", &["h"])),
        "the output `vel`: the operator `Exp` of node 2 `vel`: the exponential function, which no \
         layer computes"
    );
    let more = head("Exp", &["h"]).node("Tanh", &["h"], "after");
    assert!(
        more.output("after")
            .refused()
            .starts_with("the output `vel`: ")
    );
    assert_eq!(
        refused_with_choice(&head("Identity", &["Q"])),
        "the output `vel` does not depend on the inputs of the graph"
    );
    assert_eq!(
        refused_with_choice(&head("Add", &["h", "missing"])),
        "the output `vel`: the value `missing` is neither stored nor made by a node"
    );
    assert_eq!(
        refused_with_choice(&head("Add", &["h", "vel"])),
        "the output `vel`: the operator `Add` of node 2 `vel` needs its own output: the graph has \
         a cycle"
    );
    // Entries of several rows are no vector of one row.
    let mut mixed = head("Transpose", &["h"]);
    mixed.graph().input[0] = info("x", 1, &[5, 3]);
    let mixed = mixed.node("MatMul", &["vel", "h"], "square");
    let mut outputs = mixed.output("square");
    outputs.graph().output.remove(1);
    assert!(
        outputs.refused().starts_with("the output `square`: "),
        "{}",
        outputs.refused()
    );
    // An input that only one of them needs.
    let image = head("MatMul", &["image", "Q"]).input("image", &[OPEN, OPEN, 2]);
    assert_eq!(
        refused_with_choice(&image),
        "the input `image` has the shape [?, ?, 2], wanted [rows, entries] with the number of \
         entries"
    );
    let pos = named(&image, "pos").unwrap();
    assert_eq!(
        pos.notes(),
        ["the input `image` is left aside, since the output does not depend on it"]
    );
}

#[test]
fn outputs_together_are_at_most_as_wide_as_a_layer() {
    let mut wide = with_weights().integers("n", &[1, 40_000]);
    wide.graph().input[0] = info("x", 1, &[OPEN, 1]);
    let wide = wide
        .node("Expand", &["x", "n"], "pos")
        .node("Tanh", &["pos"], "vel");
    let mut wide = wide.output("pos").output("vel");
    wide.graph().output.remove(0);
    assert_eq!(
        refused_with_choice(&wide),
        "the outputs have 80000 entries together, wanted 1 to 65536"
    );
    // Many outputs of many nodes are followed back once.
    let mut many = File::new().input("x", &[OPEN, 1]);
    let mut last = "x".to_owned();
    for i in 0..2_000 {
        let next = format!("t{i}");
        many = many.node("Tanh", &[&last], &next).output(&next);
        last = next;
    }
    assert!(many.model().is_err());
}

#[test]
fn what_no_layer_computes_is_refused_by_its_place() {
    let error = |file: File| file.refused();
    let sine = with_weights()
        .node("MatMul", &["x", "V"], "z")
        .node("Sin", &["z"], "y");
    assert_eq!(
        error(sine.clone()),
        "the operator `Sin` of node 1 `y` is not supported"
    );
    let help = sine.model().unwrap_err();
    assert!(
        help.help()
            .any(|line| line.starts_with("supported are Abs, Add, BatchNormalization"))
    );
    assert_eq!(
        error(with_weights().node("Exp", &["x"], "y")),
        "the operator `Exp` of node 0 `y`: the exponential function, which no layer computes"
    );
    assert_eq!(
        error(with_weights().node("MatMul", &["x", "W"], "y")),
        "the operator `MatMul` of node 0 `y`: the weights `W` take 2 inputs, but there are 3"
    );
    assert_eq!(
        error(with_weights().node_with("Tanh", &["x"], &["y"], vec![("slope", Float(2.0))])),
        "the operator `Tanh` of node 0 `y`: the attribute `slope` is not supported"
    );
    assert_eq!(
        error(
            with_weights()
                .node("Add", &["y", "x"], "z")
                .node("Tanh", &["z"], "y")
        ),
        "the operator `Tanh` of node 1 `y` needs its own output: the graph has a cycle"
    );
    assert_eq!(
        error(with_weights().node("Add", &["x", "missing"], "y")),
        "the value `missing` is neither stored nor made by a node"
    );
    assert_eq!(
        error(with_weights().node_with("Transpose", &["x"], &["y"], vec![("perm", Ints(&[0, 0]))])),
        "the operator `Transpose` of node 0 `y`: [0, 0] is no order of the axes of the shape [1, 3]"
    );
    // What the output does not need does not matter.
    let unused = with_weights()
        .node("Sin", &["x"], "s")
        .node("MatMul", &["x", "V"], "y");
    assert_eq!(unused.kinds(), ["dense"]);
    let padded = with_weights()
        .weight("K", &[1, 1, 2], &[1.0, 2.0])
        .node_with(
            "Conv",
            &["x3", "K"],
            &["y"],
            vec![("auto_pad", Text("SAME_UPPER"))],
        );
    assert!(
        error(
            padded
                .integers("a", &[1])
                .node("Unsqueeze", &["x", "a"], "x3")
        )
        .contains("`auto_pad` is `SAME_UPPER`, wanted NOTSET or VALID")
    );
}

#[test]
fn damaged_and_hostile_files_are_refused() {
    let whole = with_weights().node("Gemm", &["x", "V", "b"], "y").bytes();
    for length in 0..whole.len() {
        let error = crate::import::parse(&whole[..length], &Options::default());
        assert!(error.is_err(), "{length} of {} bytes", whole.len());
    }
    // A matrix of 10¹² numbers that are not there.
    let mut huge = with_weights().node("Gemm", &["x", "V", "b"], "y");
    huge.graph().initializer[1].dims = vec![1_000_000, 1_000_000];
    assert_eq!(
        huge.refused(),
        "the tensor `V` has the shape [1000000, 1000000], 1000000000000 numbers, but 6 are there"
    );
    let mut made =
        with_weights()
            .integers("n", &[1_000_000, 1_000_000])
            .node("MatMul", &["x", "C"], "y");
    made = made.node("ConstantOfShape", &["n"], "C");
    assert!(
        made.refused()
            .contains("far more numbers than the file holds"),
        "{}",
        made.refused()
    );
    // A vector that doubles at each of forty nodes.
    let mut doubled =
        with_weights().node_with("Concat", &["x", "x"], &["d0"], vec![("axis", Int(1))]);
    for i in 0..40 {
        let (from, to) = (format!("d{i}"), format!("d{}", i + 1));
        doubled = doubled.node_with("Concat", &[&from, &from], &[&to], vec![("axis", Int(1))]);
    }
    assert!(
        doubled
            .node("Tanh", &["d40"], "y")
            .refused()
            .contains("wanted 1 to 65536")
    );
    // Nothing at all.
    let none = with_weights().weight("none", &[0], &[]);
    assert_eq!(
        none.clone().node("Max", &["x", "none"], "y").refused(),
        "the operator `Max` of node 0 `y`: the shapes [1, 3] and [0] do not fit each other"
    );
    let mut one = none.node("Max", &["x", "none"], "y");
    one.graph().input[0] = info("x", 1, &[OPEN, 1]);
    assert_eq!(
        one.refused(),
        "the operator `Max` of node 0 `y`: 0 entries, wanted 1 to 65536"
    );
    // Branches that double at each of forty nodes.
    let mut branched = with_weights()
        .weight("two", &[3], &[1.0, 2.0, 3.0])
        .node("Tanh", &["x"], "a0")
        .node("Sigmoid", &["x"], "b0");
    for i in 0..40 {
        let [a, b, sum, scaled, other] = ["a", "b", "s", "m", "o"].map(|name| format!("{name}{i}"));
        branched = branched
            .node("Add", &[&a, &b], &sum)
            .node("Tanh", &[&sum], &format!("a{}", i + 1))
            .node("Mul", &[&b, "two"], &scaled)
            .node("Add", &[&a, &scaled], &other)
            .node("Sigmoid", &[&other], &format!("b{}", i + 1));
    }
    assert_eq!(
        branched.node("Add", &["a40", "b40"], "y").refused(),
        "the graph branches so that it would take more than 10000 layers"
    );
    // A function that calls itself.
    let mut itself = with_weights().node("local.F", &["x"], "y");
    itself.0.functions.push(proto::Function {
        name: "F".to_owned(),
        domain: "local".to_owned(),
        input: vec!["a".to_owned()],
        output: vec!["b".to_owned()],
        node: vec![node("local.F", &["a"], &["b"], vec![])],
        ..Default::default()
    });
    assert_eq!(
        itself.refused(),
        "the function `F` is inside more than 16 others, or inside itself"
    );
    let mut nan = with_weights().node("Gemm", &["x", "V", "b"], "y");
    nan.graph().initializer[1].float_data[3] = f32::NAN;
    assert_eq!(
        nan.refused(),
        "the tensor `V` holds NaN (number 4 of 6); weights must be finite"
    );
}

#[test]
fn data_in_other_files_is_read_from_inside_the_folder_only() {
    let folder = tempfile::tempdir().unwrap();
    let (inside, outside) = (
        folder.path().join("model"),
        folder.path().join("outside.data"),
    );
    std::fs::create_dir(&inside).unwrap();
    let numbers = [1.0_f32, 4.0, 2.0, 5.0, 3.0, 6.0];
    let bytes: Vec<u8> = [0.0]
        .iter()
        .chain(&numbers)
        .flat_map(|x: &f32| x.to_le_bytes())
        .collect();
    std::fs::write(inside.join("w.data"), &bytes).unwrap();
    std::fs::write(&outside, &bytes).unwrap();
    let at = |location: &str, entries: &[(&str, &str)]| {
        let mut file = with_weights().node("Gemm", &["x", "V", "b"], "y");
        let tensor = &mut file.graph().initializer[1];
        tensor.float_data.clear();
        tensor.data_location = 1;
        let location = [("location", location)];
        let entries = entries.iter().chain(&location);
        tensor.external_data = entries
            .map(|(key, value)| proto::Entry {
                key: (*key).to_owned(),
                value: (*value).to_owned(),
            })
            .collect();
        let path = inside.join("model.onnx");
        std::fs::write(&path, file.bytes()).unwrap();
        crate::import::read(&path, &Options::default())
    };
    let model = at("w.data", &[("offset", "4"), ("length", "24")]).unwrap();
    assert_eq!(reference::evaluate(&model, &X).unwrap().value, dense(&X));
    assert_eq!(
        at("./w.data", &[("offset", "4")]).unwrap().layers(),
        model.layers()
    );

    let refused = |location: &str, entries: &[(&str, &str)]| {
        let error = at(location, entries).unwrap_err().to_string();
        error
            .rsplit_once("is in another file: ")
            .map(|(_, why)| why.to_owned())
            .unwrap_or(error)
    };
    let absolute = outside.display().to_string();
    for location in ["../outside.data", &absolute, "", "a/../../outside.data"] {
        let why = format!("`{location}` is not inside the model's folder");
        assert_eq!(refused(location, &[]), why);
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&outside, inside.join("link.data")).unwrap();
        assert_eq!(
            refused("link.data", &[]),
            "`link.data` is a link out of the model's folder"
        );
    }
    assert_eq!(
        refused("w.data", &[("offset", "8")]),
        "24 bytes from byte 8 on of `w.data`, which has 28; wanted 24"
    );
    assert_eq!(
        refused("w.data", &[("offset", "18446744073709551615")]),
        "24 bytes from byte 18446744073709551615 on of `w.data`, which has 28; wanted 24"
    );
    assert!(refused("w.data", &[("offset", "-4")]).contains("its offset is `-4`"));
    let bytes = std::fs::read(inside.join("model.onnx")).unwrap();
    let error = parse(&bytes.into(), None, &Options::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("but the model came without its folder"),
        "{error}"
    );
}

#[test]
fn half_precision_weights_are_widened() {
    let mut file = with_weights().node("Gemm", &["x", "V", "b"], "y");
    // 1, 4, 2, 5, 3, 6 in float16, in integers, and the bias 10, 20 in bfloat16, in bytes.
    let weight = &mut file.graph().initializer[1];
    weight.float_data.clear();
    weight.data_type = 10;
    weight.int32_data = vec![0x3c00, 0x4400, 0x4000, 0x4500, 0x4200, 0x4600];
    let bias = &mut file.graph().initializer[2];
    bias.float_data.clear();
    bias.data_type = 16;
    bias.raw_data = vec![0x20, 0x41, 0xa0, 0x41].into();
    assert_eq!(file.at(&X), dense(&X));
    assert_eq!(file.model().unwrap().precision(), Precision::F32);
}

#[test]
fn a_softplus_that_keeps_large_numbers_is_one() {
    let file = |bound: f32| {
        File::version(20)
            .input("x", &[OPEN, 2])
            .output("y")
            .weight("bound", &[], &[bound])
            .node("Softplus", &["x"], "s")
            .node("Greater", &["x", "bound"], "above")
            .node("Where", &["above", "x", "s"], "y")
    };
    let model = file(20.0).model().unwrap();
    let [Layer::Affine(layer)] = model.layers() else {
        panic!("{model:?}");
    };
    assert_eq!(layer.activation(), Activation::Softplus);
    let [note] = model.notes() else {
        panic!("{:?}", model.notes());
    };
    assert!(
        note.ends_with(
            "x above 20.0 and softplus elsewhere is read as softplus, which changes results by up to \
             2e-9"
        ),
        "{note}"
    );
    // Where e⁻⁵ is left out it is another function.
    let refused = file(5.0).refused();
    assert!(
        refused.contains("a choice that is no activation"),
        "{refused}"
    );
    let comparison = File::new()
        .input("x", &[OPEN, 2])
        .output("y")
        .weight("bound", &[], &[1.0])
        .node("Greater", &["x", "bound"], "y");
    assert!(comparison.refused().contains("a comparison"));
}

#[test]
fn sums_and_means_of_constants_are_calculated() {
    let reduced = |operator: &str| {
        File::version(18)
            .input("x", &[OPEN, 3])
            .output("y")
            .weight("c", &[2, 3], &[0.1, 2.0, -3.0, 4.0, 0.5, 6.0])
            .integers("axes", &[0])
            .node(operator, &["c", "axes"], "r")
            .node("Mul", &["x", "r"], "y")
            .at(&[1.0, 1.0, 1.0])
    };
    let rounded = |numbers: [f64; 3]| numbers.map(|x| f64::from(x as f32));
    let c = [0.1_f32, 2.0, -3.0, 4.0, 0.5, 6.0].map(f64::from);
    let sums = [c[0] + c[3], c[1] + c[4], c[2] + c[5]];
    assert_eq!(reduced("ReduceSum"), rounded(sums));
    assert_eq!(reduced("ReduceMean"), rounded(sums.map(|x| x / 2.0)));
}
