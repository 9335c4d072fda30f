//! Layers of every kind, made of numbers that look random.

use fnn_std::{
    Activation, Model, Precision,
    model::{self, Tensor},
};

/// Numbers of f32 between -1 and 1 that look random.
pub(crate) fn numbers(count: usize, seed: usize) -> Vec<f64> {
    let number = |k: usize| ((k * k + 7 * k + 13 * seed + 1) as f32 * 0.61).sin();
    (0..count).map(|k| number(k).into()).collect()
}

pub(crate) fn dense(inputs: usize, outputs: usize, seed: usize) -> model::Layer {
    let rows = (0..outputs).flat_map(|i| numbers(inputs, seed + 3 * i));
    let tensor = |name: &str, shape: Vec<usize>, numbers| Tensor {
        name: format!("{seed}.{name}"),
        shape,
        numbers,
    };
    let weight = tensor("weight", vec![outputs, inputs], rows.collect());
    let bias = tensor("bias", vec![outputs], numbers(outputs, seed + 1));
    model::Dense::new(weight, Some(bias), Activation::Tanh)
        .unwrap()
        .into()
}

pub(crate) fn affine(size: usize, seed: usize) -> model::Layer {
    let (scale, shift) = (numbers(size, seed), numbers(size, seed + 5));
    model::Affine::new(format!("{seed}"), scale, shift, Activation::Tanh)
        .unwrap()
        .into()
}

pub(crate) fn norm(size: usize, seed: usize) -> model::Layer {
    let (scale, shift) = (numbers(size, seed), numbers(size, seed + 1));
    model::LayerNorm::new(format!("{seed}"), scale, shift, f64::from(1e-5_f32))
        .unwrap()
        .into()
}

pub(crate) fn softmax(size: usize) -> model::Layer {
    model::Softmax::new("softmax", size).unwrap().into()
}

pub(crate) fn select(inputs: usize, range: std::ops::Range<usize>) -> model::Layer {
    model::Select::new("select", inputs, range).unwrap().into()
}

pub(crate) fn residual(layers: Vec<model::Layer>) -> model::Layer {
    model::Residual::new(layers).unwrap().into()
}

pub(crate) fn concat(branches: Vec<Vec<model::Layer>>) -> model::Layer {
    model::Concat::new(branches).unwrap().into()
}

/// Every kind of layer, some of them in each other.
pub(crate) fn everything() -> Model {
    let layers = vec![
        affine(6, 1),
        residual(vec![dense(6, 4, 2), dense(4, 6, 3)]),
        norm(6, 4),
        concat(vec![
            vec![select(6, 1..4), dense(3, 5, 6)],
            vec![select(6, 0..6)],
            vec![residual(vec![residual(vec![affine(6, 7)])])],
        ]),
        residual(vec![dense(17, 17, 8)]),
        residual(vec![dense(17, 17, 9)]),
        dense(17, 4, 10),
        softmax(4),
        affine(4, 11),
    ];
    Model::new(layers, Precision::F32).unwrap()
}
