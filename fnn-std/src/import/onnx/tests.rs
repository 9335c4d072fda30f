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
    Tensor(proto::Tensor),
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
            opset_import: vec![
                proto::OperatorSet {
                    domain: String::new(),
                    version,
                },
                proto::OperatorSet {
                    domain: "ai.onnx.ml".to_owned(),
                    version: 3,
                },
            ],
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
        parse(&self.bytes(), None, &Options::default())
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
            Attribute::Tensor(t) => (attribute.kind, attribute.t) = (4, Some(t)),
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
                    Attribute::Tensor(tensor("", &[1, 2], &[10.0, 20.0])),
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
