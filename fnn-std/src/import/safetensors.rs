//! safetensors: named tensors, and what `__metadata__` says of them.

use std::collections::{BTreeMap, HashMap};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::Value;

use super::{
    Options, distinct,
    named::{self, Name},
};
use crate::{
    error::{Error, Result},
    model::{Model, Precision, Tensor},
    widen::{bf16, each, f16},
};

/// Whether these bytes begin like a safetensors file: the length of a header, then the header, a
/// JSON object.
pub(super) fn recognise(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{')
}

pub(super) fn parse(bytes: &[u8], options: &Options) -> Result<Model> {
    check_header(bytes)?;
    let damaged = |e| Error::refused(format!("the file is damaged or cut off: {e}"));
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let none = HashMap::new();
    let metadata = header.metadata().as_ref().unwrap_or(&none);

    let mut tensors = Vec::new();
    // In the order of their names, so that the same file always gives the same error.
    let views: BTreeMap<&str, TensorView<'_>> = file.iter().collect();
    for (name, view) in views {
        let understood = Name::new(name)?;
        let (tensor, precision) = widened(name, &view)?;
        tensors.push((understood, tensor, precision));
    }
    named::model(tensors, metadata, options)
}

/// Refuses names and keys that stand twice, of which the library takes the last, and offsets beyond
/// the end of the file, which it adds up without a check.
fn check_header(bytes: &[u8]) -> Result<()> {
    let damaged = |found: &str| Error::refused(format!("the file is damaged or cut off: {found}"));
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return Err(damaged("it is shorter than its first number"));
    };
    let length = u64::from_le_bytes(*length);
    let header = usize::try_from(length).ok().and_then(|n| rest.get(..n));
    let Some(header) = header else {
        return Err(damaged(&format!(
            "its header claims {length} bytes and {} are there",
            rest.len()
        )));
    };
    let entries = distinct::json("the header of the file", header)?;
    let there = rest.len() - header.len();
    for (name, entry) in entries.as_object().into_iter().flatten() {
        let offsets = entry.get("data_offsets").and_then(Value::as_array);
        for offset in offsets.into_iter().flatten() {
            if offset.as_u64().is_none_or(|offset| offset > there as u64) {
                return Err(damaged(&format!(
                    "the tensor `{name}` reaches to byte {offset} and {there} are there"
                )));
            }
        }
    }
    Ok(())
}

/// The numbers of a tensor as `f64`, which holds them exactly, and the format that they have.
fn widened(name: &str, view: &TensorView<'_>) -> Result<(Tensor, Precision)> {
    let data = view.data();
    let (numbers, precision) = match view.dtype() {
        Dtype::F64 => (each(data, f64::from_le_bytes), Precision::F64),
        Dtype::F32 => (each(data, |b| f32::from_le_bytes(b).into()), Precision::F32),
        Dtype::F16 => (each(data, |b| f16(u16::from_le_bytes(b))), Precision::F32),
        Dtype::BF16 => (each(data, |b| bf16(u16::from_le_bytes(b))), Precision::F32),
        other => {
            return Err(Error::refused(format!(
                "the tensor `{name}` holds numbers of type {other:?}, wanted F64, F32, BF16 or F16"
            )));
        }
    };
    let tensor = Tensor {
        name: name.to_owned(),
        shape: view.shape().to_vec(),
        numbers,
    };
    Ok((tensor, precision))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{activation::Activation, model::Layer};

    /// A file of these tensors, all of type `dtype`, the numbers being their bytes.
    fn file(tensors: &[(&str, Dtype, &[usize], &[u8])], metadata: &[(&str, &str)]) -> Vec<u8> {
        let views = tensors.iter().map(|&(name, dtype, shape, data)| {
            (name, TensorView::new(dtype, shape.to_vec(), data).unwrap())
        });
        let metadata = metadata.iter().map(|&(k, v)| (k.to_owned(), v.to_owned()));
        safetensors::serialize(views, Some(metadata.collect())).unwrap()
    }

    fn f32s(numbers: &[f32]) -> Vec<u8> {
        numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    fn read(bytes: &[u8]) -> Result<Model> {
        super::super::parse(bytes, &Options::default())
    }

    fn error(bytes: &[u8]) -> String {
        read(bytes).unwrap_err().to_string()
    }

    #[test]
    fn layers_come_in_the_order_of_their_numbers() {
        let (one, two) = (f32s(&[1.0]), f32s(&[2.0]));
        for prefix in ["", "net.", "a.b1.", "fc"] {
            let names = [10, 2].map(|n| format!("{prefix}{n}.weight"));
            let bytes = file(
                &[
                    (&names[0], Dtype::F32, &[1, 1], &two),
                    (&names[1], Dtype::F32, &[1, 1], &one),
                ],
                &[
                    ("activations", "tanh,identity"),
                    ("inputs", "x"),
                    ("outputs", "y"),
                ],
            );
            let model = read(&bytes).unwrap();
            let weights: Vec<_> = model.layers().iter().flat_map(Layer::numbers).collect();
            assert_eq!(weights.concat(), [1.0, 0.0, 2.0, 0.0], "{prefix}");
            assert_eq!(model.as_dense().unwrap()[0].activation(), Activation::Tanh);
            assert_eq!(model.precision(), Precision::F32);
            assert_eq!(model.input_names().unwrap(), ["x"]);
            assert_eq!(model.output_names().unwrap(), ["y"]);
        }
    }

    #[test]
    fn a_single_linear_layer_needs_no_number() {
        let (w, b) = (f32s(&[1.0, -2.0]), f32s(&[3.0]));
        let bytes = file(
            &[
                ("weight", Dtype::F32, &[1, 2], &w),
                ("bias", Dtype::F32, &[1], &b),
            ],
            &[("activations", "identity")],
        );
        assert_eq!(read(&bytes).unwrap().as_dense().unwrap()[0].bias(), [3.0]);
    }

    #[test]
    fn formats_widen_exactly_and_may_be_mixed() {
        let half = [0x3c00_u16, 0xc000, 0x0001, 0x7bff, 0x3555]
            .map(u16::to_le_bytes)
            .concat();
        let brain = [0x3f80_u16, 0xbf81, 0x0001, 0x7f7f, 0x4049]
            .map(u16::to_le_bytes)
            .concat();
        let double = 0.1f64.to_le_bytes();
        let bytes = file(
            &[
                ("0.weight", Dtype::F16, &[5, 1], &half),
                ("0.bias", Dtype::BF16, &[5], &brain),
            ],
            &[("activations", "relu")],
        );
        let model = read(&bytes).unwrap();
        assert_eq!(model.precision(), Precision::F32);
        assert_eq!(
            model.layers()[0].numbers().concat(),
            [
                1.0,
                -2.0,
                2f64.powi(-24),
                65504.0,
                1365.0 / 4096.0,
                1.0,
                -1.0078125,
                f64::from(f32::from_bits(1 << 16)),
                f64::from(f32::from_bits(0x7f7f_0000)),
                3.140625
            ]
        );

        let bytes = file(
            &[
                ("0.weight", Dtype::F32, &[1, 1], &f32s(&[0.5])),
                ("1.weight", Dtype::F64, &[1, 1], &double),
            ],
            &[("activations", "relu,relu")],
        );
        assert_eq!(read(&bytes).unwrap().precision(), Precision::F64);
    }

    #[test]
    fn refuses_by_name() {
        let w = f32s(&[1.0]);
        let one = |name| (name, Dtype::F32, &[1, 1][..], &w[..]);
        let named = &[("activations", "relu")];
        assert_eq!(
            error(&file(&[one("0.weight"), one("1.running_mean")], named)),
            "the tensor `1.running_mean` is neither the weight nor the bias of a layer"
        );
        assert_eq!(
            error(&file(
                &[one("0.weight"), ("1.bias", Dtype::F32, &[1], &w)],
                named
            )),
            "the tensor `1.bias` is a bias to which there is no weight"
        );
        assert_eq!(
            error(&file(&[one("a.weight"), one("b.weight")], named)),
            "which of `a.weight` and `b.weight` comes first cannot be told by a number in their \
             names"
        );
        assert_eq!(
            error(&file(&[one("0.weight"), one("00.weight")], named)),
            "which of `0.weight` and `00.weight` comes first cannot be told by a number in their \
             names"
        );
        assert_eq!(
            error(&file(&[("0.weight", Dtype::I32, &[1, 1], &w)], named)),
            "the tensor `0.weight` holds numbers of type I32, wanted F64, F32, BF16 or F16"
        );
        assert_eq!(
            error(&file(&[("1.weight", Dtype::F32, &[1], &w)], named)),
            "the tensor `1.weight` has the shape [1]; wanted [neurons, inputs]"
        );
        assert_eq!(error(&file(&[], named)), "the file holds no weights");
        assert_eq!(
            error(&file(&[one("99999999999999999999999.weight")], named)),
            "the number in the name `99999999999999999999999.weight` is too large"
        );
    }

    #[test]
    fn activations_are_wanted_for_every_layer() {
        let w = f32s(&[1.0]);
        let tensors = [
            ("0.weight", Dtype::F32, &[1, 1][..], &w[..]),
            ("2.weight", Dtype::F32, &[1, 1][..], &w[..]),
        ];
        let without = file(&tensors, &[("format", "pt")]);
        let refused = read(&without).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the file does not say the activations of its 2 layers"
        );
        assert_eq!(
            refused.help().next(),
            Some("name them, one for each layer: --activations tanh,identity")
        );
        let options = Options {
            activations: Some(vec![Activation::Mish, Activation::Identity]),
            ..Default::default()
        };
        let model = super::parse(&without, &options).unwrap();
        assert_eq!(model.as_dense().unwrap()[0].activation(), Activation::Mish);

        assert_eq!(
            error(&file(&tensors, &[("activations", "tanh")])),
            "1 activations are named in the metadata for 2 layers"
        );
        assert_eq!(
            error(&file(&tensors, &[("activations", "tanh,softmax")])),
            "the activation `softmax` is not supported"
        );
    }

    #[test]
    fn no_damage_panics() {
        let w = f32s(&[1.0, 2.0]);
        let bytes = file(
            &[("0.weight", Dtype::F32, &[1, 2], &w)],
            &[("activations", "relu"), ("inputs", "a,b")],
        );
        read(&bytes).unwrap();
        for length in 0..bytes.len() {
            read(&bytes[..length]).unwrap_err();
        }
        // Other bytes may make another model, but no panic.
        for at in 0..bytes.len() {
            for with in [0, 1, b'"', b'9', b'-', b'{', 0x7f, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] = with;
                let _ = read(&damaged);
            }
        }
        let mut longer = bytes.clone();
        longer.push(0);
        read(&longer).unwrap_err();
    }

    #[test]
    fn huge_claims_are_refused() {
        let claim = |header: &str| {
            let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend(header.bytes());
            error(&bytes)
        };
        let most = u64::MAX;
        for header in [
            format!(
                r#"{{"0.weight":{{"dtype":"F32","shape":[{most},{most}],"data_offsets":[0,{most}]}}}}"#
            ),
            format!(r#"{{"0.weight":{{"dtype":"F32","shape":[1],"data_offsets":[{most},0]}}}}"#),
            r#"{"0.weight":{"dtype":"F32","shape":[1099511627776,0],"data_offsets":[0,0]}}"#
                .to_owned(),
            r#"{"0.weight":{"dtype":"F32","shape":[1],"data_offsets":[-1,4]}}"#.to_owned(),
            format!("{{\"a\":{}", "[".repeat(100_000)),
        ] {
            assert!(!claim(&header).contains('\n'));
        }
        let mut bytes = u64::MAX.to_le_bytes().to_vec();
        bytes.push(b'{');
        assert_eq!(
            error(&bytes),
            "the file is damaged or cut off: its header claims 18446744073709551615 bytes and 1 \
             are there"
        );
    }
}
