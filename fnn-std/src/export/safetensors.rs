//! safetensors: weights as PyTorch's `nn.Sequential` names them, and the rest in `__metadata__`.

use std::collections::HashMap;

use safetensors::{Dtype, tensor::TensorView};

use crate::{
    error::{Error, Result},
    model::{Model, Precision},
};

/// The bytes of a file with the layers of `model`.
pub(super) fn bytes(model: &Model) -> Result<Vec<u8>> {
    if let Some(layer) = model.layers().iter().find(|l| l.as_dense().is_none()) {
        return Err(Error::refused(format!(
            "the layer of `{}` is of the kind {}; safetensors files hold dense layers only",
            layer.name(),
            layer.kind()
        ))
        .with_help("write it as .json, which holds every model"));
    }
    let dense = model.as_dense().unwrap_or_default();
    let (dtype, number): (_, fn(f64) -> Vec<u8>) = match model.precision() {
        Precision::F32 => (Dtype::F32, |x| (x as f32).to_le_bytes().to_vec()),
        Precision::F64 => (Dtype::F64, |x| x.to_le_bytes().to_vec()),
    };
    let mut tensors = Vec::new();
    for (i, layer) in dense.iter().enumerate() {
        let weight: Vec<u8> = layer.rows().flatten().flat_map(|&w| number(w)).collect();
        let bias: Vec<u8> = layer.bias().iter().flat_map(|&b| number(b)).collect();
        let shape = vec![layer.outputs(), layer.inputs()];
        tensors.push((format!("{i}.weight"), shape, weight));
        tensors.push((format!("{i}.bias"), vec![layer.outputs()], bias));
    }
    let mut views = Vec::new();
    for (name, shape, data) in &tensors {
        let view = TensorView::new(dtype, shape.clone(), data);
        let view = view.map_err(|e| Error::refused(format!("the tensor `{name}`: {e}")))?;
        views.push((name, view));
    }
    let activations = dense.iter().map(|layer| layer.activation().to_string());
    let mut metadata = HashMap::from([("activations".to_owned(), list(activations))]);
    for (key, texts) in [
        ("inputs", model.input_names()),
        ("outputs", model.output_names()),
        ("input_units", model.input_units()),
        ("output_units", model.output_units()),
    ] {
        if let Some(texts) = texts {
            metadata.insert(key.to_owned(), texts_list(texts)?);
        }
    }
    for (key, ranges) in [
        ("input_ranges", model.input_ranges()),
        ("output_ranges", model.output_ranges()),
    ] {
        if let Some(ranges) = ranges {
            let ranges = ranges.iter().map(|r| format!("{:?}:{:?}", r.start, r.end));
            metadata.insert(key.to_owned(), list(ranges));
        }
    }
    safetensors::serialize(views, Some(metadata))
        .map_err(|e| Error::refused(format!("cannot write safetensors: {e}")))
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(",")
}

/// Names or units separated by commas, which none of them may hold.
fn texts_list(names: &[String]) -> Result<String> {
    match names
        .iter()
        .find(|name| name.contains(',') || name.trim() != **name)
    {
        Some(name) => Err(Error::refused(format!(
            "`{name}` has a comma or a space at an end, which safetensors metadata cannot \
             hold"
        ))
        .with_help("write it as .json, which holds every name")),
        None => Ok(names.join(",")),
    }
}
