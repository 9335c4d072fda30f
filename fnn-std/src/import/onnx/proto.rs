//! The messages of an ONNX file, those fields of them that are read or written here.
//!
//! Numbers of fields and data types are those of `onnx.proto` (IR version 12). Graphs inside
//! attributes are left out, so nothing here holds itself.

use bytes::{Buf, Bytes};
use prost::{
    Message,
    encoding::{WireType, decode_key, decode_varint},
};

use crate::error::{Error, Result};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Model {
    #[prost(int64, tag = "1")]
    pub(crate) ir_version: i64,
    #[prost(string, tag = "2")]
    pub(crate) producer_name: String,
    #[prost(string, tag = "3")]
    pub(crate) producer_version: String,
    #[prost(message, repeated, tag = "8")]
    pub(crate) opset_import: Vec<OperatorSet>,
    #[prost(message, optional, tag = "7")]
    pub(crate) graph: Option<Graph>,
    #[prost(message, repeated, tag = "14")]
    pub(crate) metadata_props: Vec<Entry>,
    #[prost(message, repeated, tag = "25")]
    pub(crate) functions: Vec<Function>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct OperatorSet {
    #[prost(string, tag = "1")]
    pub(crate) domain: String,
    #[prost(int64, tag = "2")]
    pub(crate) version: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub(crate) node: Vec<Node>,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(message, repeated, tag = "5")]
    pub(crate) initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = "15")]
    pub(crate) sparse_initializer: Vec<Sparse>,
    #[prost(message, repeated, tag = "11")]
    pub(crate) input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    pub(crate) output: Vec<ValueInfo>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Function {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, repeated, tag = "4")]
    pub(crate) input: Vec<String>,
    #[prost(string, repeated, tag = "5")]
    pub(crate) output: Vec<String>,
    #[prost(message, repeated, tag = "11")]
    pub(crate) attribute_proto: Vec<Attribute>,
    #[prost(message, repeated, tag = "7")]
    pub(crate) node: Vec<Node>,
    #[prost(message, repeated, tag = "9")]
    pub(crate) opset_import: Vec<OperatorSet>,
    #[prost(string, tag = "10")]
    pub(crate) domain: String,
    #[prost(string, tag = "13")]
    pub(crate) overload: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Node {
    #[prost(string, repeated, tag = "1")]
    pub(crate) input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(crate) output: Vec<String>,
    #[prost(string, tag = "3")]
    pub(crate) name: String,
    #[prost(string, tag = "4")]
    pub(crate) op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub(crate) attribute: Vec<Attribute>,
    #[prost(string, tag = "7")]
    pub(crate) domain: String,
    #[prost(string, tag = "8")]
    pub(crate) overload: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Attribute {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(float, tag = "2")]
    pub(crate) f: f32,
    #[prost(int64, tag = "3")]
    pub(crate) i: i64,
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) s: Bytes,
    #[prost(message, optional, tag = "5")]
    pub(crate) t: Option<Tensor>,
    #[prost(float, repeated, tag = "7")]
    pub(crate) floats: Vec<f32>,
    #[prost(int64, repeated, tag = "8")]
    pub(crate) ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    pub(crate) kind: i32,
    /// In a function: the attribute of the call whose value this has.
    #[prost(string, tag = "21")]
    pub(crate) ref_attr_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    pub(crate) dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(crate) data_type: i32,
    #[prost(message, optional, tag = "3")]
    pub(crate) segment: Option<Segment>,
    #[prost(float, repeated, tag = "4")]
    pub(crate) float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    pub(crate) int32_data: Vec<i32>,
    #[prost(int64, repeated, tag = "7")]
    pub(crate) int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    pub(crate) name: String,
    #[prost(bytes = "bytes", tag = "9")]
    pub(crate) raw_data: Bytes,
    #[prost(double, repeated, tag = "10")]
    pub(crate) double_data: Vec<f64>,
    #[prost(uint64, repeated, tag = "11")]
    pub(crate) uint64_data: Vec<u64>,
    #[prost(message, repeated, tag = "13")]
    pub(crate) external_data: Vec<Entry>,
    /// 1 where the numbers are in another file.
    #[prost(int32, tag = "14")]
    pub(crate) data_location: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Segment {}

/// Only its name is read, to refuse it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Sparse {
    #[prost(message, optional, tag = "1")]
    pub(crate) values: Option<Tensor>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Entry {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ValueInfo {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) kind: Option<Type>,
}

/// The type of a value; `tensor` is missing where it is a sequence, a map or the like.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Type {
    #[prost(message, optional, tag = "1")]
    pub(crate) tensor: Option<TensorType>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TensorType {
    #[prost(int32, tag = "1")]
    pub(crate) elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub(crate) shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Shape {
    #[prost(message, repeated, tag = "1")]
    pub(crate) dim: Vec<Dimension>,
}

/// A size; without a value it is a symbol that stands for any.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Dimension {
    #[prost(int64, optional, tag = "1")]
    pub(crate) value: Option<i64>,
    /// The symbol.
    #[prost(string, tag = "2")]
    pub(crate) param: String,
}

/// Bytes of memory that the messages, names and integers of a file may take. Weights come on top,
/// in proportion to the file.
const MOST: usize = 96 << 20;

/// Whether these bytes look like an ONNX file, be it cut off.
pub(crate) fn recognise(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut has_graph = false;
    while rest.has_remaining() {
        match field(&mut rest) {
            Some((7, _)) => has_graph = true,
            Some((1..=8 | 14 | 20 | 25 | 26, _)) => {}
            _ => return starts_like_one(bytes),
        }
    }
    has_graph
}

/// The version of the format, then a name, a number, the graph or a set of operators.
fn starts_like_one(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [
            0x08,
            1..=0x1f,
            0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42 | 0x72,
            ..
        ]
    ) && bytes.get(3..8).is_none_or(|more| more != [0; 5])
}

/// The model in these bytes.
pub(crate) fn decode(bytes: &Bytes) -> Result<Model> {
    let damaged =
        |found: String| Error::refused(format!("the file is damaged or cut off: {found}"));
    let cost = cost(Kind::Model, bytes)
        .ok_or_else(|| damaged("a message reaches beyond its end".to_owned()))?;
    if cost > MOST {
        return Err(Error::refused(format!(
            "the nodes, names and integers of the graph would take {cost} bytes of memory, wanted \
             at most {MOST}"
        )));
    }
    // The weights stay parts of these bytes.
    Model::decode(bytes.clone()).map_err(|e| damaged(e.to_string()))
}

/// A message, for counting what it takes in memory before it is decoded.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Sparse,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    Function,
    /// One of names and numbers alone.
    Small,
}

enum Content {
    Message(Kind, usize),
    Text,
    Integers,
    Other,
}

impl Kind {
    fn content(self, field: u32) -> Content {
        use Content::{Integers, Message, Other, Text};
        let small = size_of::<Entry>();
        match (self, field) {
            (Self::Model, 7) => Message(Self::Graph, size_of::<Graph>()),
            (Self::Model, 8 | 14) | (Self::Function, 9) => Message(Self::Small, small),
            (Self::Model, 25) => Message(Self::Function, size_of::<Function>()),
            (Self::Graph, 1) | (Self::Function, 7) => Message(Self::Node, size_of::<Node>()),
            (Self::Graph, 5) | (Self::Attribute, 5) | (Self::Sparse, 1) => {
                Message(Self::Tensor, size_of::<Tensor>())
            }
            (Self::Graph, 15) => Message(Self::Sparse, size_of::<Sparse>()),
            (Self::Graph, 11 | 12) => Message(Self::ValueInfo, size_of::<ValueInfo>()),
            (Self::Function, 11) | (Self::Node, 5) => {
                Message(Self::Attribute, size_of::<Attribute>())
            }
            (Self::Tensor, 13) => Message(Self::Small, small),
            (Self::ValueInfo, 2) => Message(Self::Type, size_of::<Type>()),
            (Self::Type, 1) => Message(Self::TensorType, size_of::<TensorType>()),
            (Self::TensorType, 2) => Message(Self::Shape, size_of::<Shape>()),
            (Self::Shape, 1) => Message(Self::Small, small),
            (Self::Model, 2 | 3)
            | (Self::Graph, 2)
            | (Self::Small, 1 | 2)
            | (Self::Function, 1 | 4 | 5 | 10 | 13)
            | (Self::Node, 1..=4 | 7 | 8)
            | (Self::Attribute, 1 | 21)
            | (Self::Tensor, 8)
            | (Self::ValueInfo, 1) => Text,
            (Self::Attribute, 7 | 8) | (Self::Tensor, 1 | 5 | 7 | 11) => Integers,
            _ => Other,
        }
    }
}

/// The number of the next field and its bytes, if they are a message, a name or a list.
fn field<'b>(rest: &mut &'b [u8]) -> Option<(u32, Option<&'b [u8]>)> {
    let (field, wire) = decode_key(rest).ok()?;
    let length = match wire {
        WireType::Varint => {
            decode_varint(rest).ok()?;
            return Some((field, None));
        }
        WireType::ThirtyTwoBit => 4,
        WireType::SixtyFourBit => 8,
        WireType::LengthDelimited => {
            let length = usize::try_from(decode_varint(rest).ok()?).ok()?;
            let (inside, after) = rest.split_at_checked(length)?;
            *rest = after;
            return Some((field, Some(inside)));
        }
        // ONNX has no groups.
        WireType::StartGroup | WireType::EndGroup => return None,
    };
    *rest = rest.get(length..)?;
    Some((field, None))
}

/// Bytes of memory that a message will take at most, without weights; `None` where it is damaged.
fn cost(kind: Kind, mut rest: &[u8]) -> Option<usize> {
    // A list that grows holds up to three times its items for a moment.
    const GROWTH: usize = 3;
    let mut sum = 0_usize;
    while rest.has_remaining() {
        let (number, inside) = field(&mut rest)?;
        let own = match (kind.content(number), inside) {
            (Content::Message(kind, size), Some(inside)) => GROWTH * size + cost(kind, inside)?,
            (Content::Text, Some(inside)) => GROWTH * size_of::<String>() + inside.len(),
            (Content::Integers, Some(inside)) => {
                let items = inside.iter().filter(|byte| **byte < 0x80).count();
                GROWTH * size_of::<i64>() * items.max(inside.len() / 4)
            }
            (Content::Integers, None) => GROWTH * size_of::<i64>(),
            _ => 0,
        };
        sum = sum.saturating_add(own);
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_nothing_but_nodes_is_refused_before_it_fills_the_memory() {
        // Two bytes a node, a hundred times that in memory.
        let mut graph = Vec::new();
        for _ in 0..(1 << 20) {
            graph.extend([0x0a, 0x00]);
        }
        let mut bytes = vec![0x08, 0x08, 0x3a];
        prost::encoding::encode_varint(graph.len() as u64, &mut bytes);
        bytes.extend(graph);
        let error = decode(&bytes.into()).unwrap_err().to_string();
        assert!(
            error.starts_with("the nodes, names and integers of the graph would take"),
            "{error}"
        );
    }

    #[test]
    fn files_are_known_by_their_first_fields() {
        let model = Model {
            ir_version: 8,
            graph: Some(Graph::default()),
            ..Default::default()
        };
        let bytes = model.encode_to_vec();
        assert!(recognise(&bytes));
        assert!(recognise(b"\x08\x07\x12\x07pytorch:\x80"));
        assert!(!recognise(b"hello, world"));
        // The length of the header of a safetensors file.
        assert!(!recognise(b"\x08\x07\x12\x00\x00\x00\x00\x00{"));
        assert!(!recognise(b""));
    }
}
