//! `fnn-std`: the model read at run time.

use fnn_std::{Evaluator, Float};

use crate::{
    contender::{All, Contender, Here, Outcome},
    network::Network,
};

/// The model read at run time: value and Jacobian, and the value alone.
pub(crate) fn contenders<T: Float>(network: &Network) -> fnn_std::Result<All<T>> {
    Ok(vec![evaluate(network)?, value(network)?])
}

/// Value and Jacobian.
pub(crate) fn evaluate<T: Float>(network: &Network) -> fnn_std::Result<Box<dyn Contender<T>>> {
    let (inputs, outputs) = (network.inputs(), network.outputs());
    let mut evaluator = Evaluator::<T>::new(&network.model)?;
    Ok(Box::new(Here {
        name: "fnn-std".to_owned(),
        result: (vec![T::ZERO; outputs], vec![T::ZERO; outputs * inputs]),
        evaluate: move |x: &[T], (value, jacobian): &mut (Vec<T>, Vec<T>)| {
            // The lengths are those of the model.
            let _ = evaluator.evaluate(x, value, jacobian);
        },
        read: |(value, jacobian): &(Vec<T>, Vec<T>)| Outcome {
            value: value.iter().map(|&y| y.to_f64()).collect(),
            jacobian: Some(jacobian.iter().map(|&d| d.to_f64()).collect()),
        },
    }))
}

fn value<T: Float>(network: &Network) -> fnn_std::Result<Box<dyn Contender<T>>> {
    let mut evaluator = Evaluator::<T>::new(&network.model)?;
    Ok(Box::new(Here {
        name: "fnn-std, value alone".to_owned(),
        result: vec![T::ZERO; network.outputs()],
        evaluate: move |x: &[T], value: &mut Vec<T>| {
            let _ = evaluator.value(x, value);
        },
        read: |value: &Vec<T>| Outcome {
            value: value.iter().map(|&y| y.to_f64()).collect(),
            jacobian: None,
        },
    }))
}
