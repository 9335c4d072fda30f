//! Layers from tensors with names: what safetensors and npz files hold.
//!
//! A name says what a tensor is and which layer it belongs to: `net.2.weight`, `fc1_b`, `W0`. The
//! numbers in the names give the order of the layers.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use super::Options;
use crate::{
    activation::Activation,
    error::{Error, Result},
    model::{Dense, Model, Precision, Tensor, WIDEST},
};

/// The name of a tensor, understood.
#[derive(Debug, Clone)]
pub(super) struct Name {
    text: String,
    kind: Kind,
    /// The name without what says the kind.
    path: Vec<Token>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// A weight, stored as the name says if it says it.
    Weight(Option<Storage>),
    Bias,
    /// `arr_0`, `arr_1` …, as NumPy names arrays without names: a matrix is a weight, a vector the
    /// bias of the weight before it.
    Position,
}

/// How a weight matrix is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Storage {
    /// [neurons, inputs]: PyTorch, Equinox.
    Neurons,
    /// [inputs, neurons]: Keras, Flax, Haiku.
    Inputs,
}

/// A piece of a name. Words compare before numbers, so that sorting gathers what begins alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Token {
    Word(String),
    Number(u64),
}

/// Words and numbers of a name at most; they are gone through in depth.
const MOST_TOKENS: usize = 64;

/// What stands between the words of a name.
const SEPARATORS: [char; 3] = ['.', '/', '_'];

/// Words for the layer that comes before or after those with numbers, and words beside them that
/// say nothing.
const FIRST: [&str; 3] = ["in", "input", "first"];
const LAST: [&str; 5] = ["out", "output", "last", "final", "head"];
const NEUTRAL: [&str; 7] = ["fc", "linear", "dense", "layer", "net", "mlp", "weights"];

const WANTED: &str = "wanted are names such as PyTorch's nn.Sequential gives them, 0.weight, 0.bias, 2.weight ..., or \
     fc1.weight, fc1.bias ..., W0, b0, W1 ..., arr_0, arr_1 ...";

impl Name {
    /// # Errors
    /// A name that does not say weight or bias.
    pub(super) fn new(text: &str) -> Result<Self> {
        // TensorFlow's names of variables end so.
        let mut path = tokens(text.strip_suffix(":0").unwrap_or(text))?;
        let word = path.iter_mut().rev().find_map(|token| match token {
            Token::Word(word) => Some(word),
            Token::Number(_) => None,
        });
        let mut kind = None;
        if let Some(word) = word {
            let trimmed = word.trim_end_matches(SEPARATORS);
            let (front, last) = trimmed.rsplit_once(SEPARATORS).unwrap_or(("", trimmed));
            kind = match last.to_ascii_lowercase().as_str() {
                "weight" => Some(Kind::Weight(Some(Storage::Neurons))),
                "kernel" => Some(Kind::Weight(Some(Storage::Inputs))),
                "weights" | "w" => Some(Kind::Weight(None)),
                "bias" | "biases" | "b" => Some(Kind::Bias),
                "arr" => Some(Kind::Position),
                _ => None,
            };
            *word = front.to_owned();
        }
        if path.len() > MOST_TOKENS {
            return Err(Error::refused(format!(
                "the name of the tensor `{text}` has more than {MOST_TOKENS} words and numbers"
            )));
        }
        let Some(kind) = kind else {
            return Err(Error::refused(format!(
                "the tensor `{text}` is neither the weight nor the bias of a layer"
            ))
            .with_help(WANTED));
        };
        path.retain(|token| *token != Token::Word(String::new()));
        Ok(Self {
            text: text.to_owned(),
            kind,
            path,
        })
    }

    /// −1 for the layer before those with numbers, 1 for the one after them.
    fn place(&self) -> i8 {
        let Some(Token::Word(word)) = self.path.last() else {
            return 0;
        };
        let last = word.rsplit(['.', '/']).next().unwrap_or(word);
        let words: Vec<_> = last.split('_').map(str::to_ascii_lowercase).collect();
        let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
        let only = |list: &[&str]| {
            words
                .iter()
                .all(|word| [list, &NEUTRAL].concat().contains(&word.as_str()))
        };
        if has(&FIRST) && only(&FIRST) {
            -1
        } else if has(&LAST) && only(&LAST) {
            1
        } else {
            0
        }
    }

    /// Which of two different layers comes first; `None` where the names do not tell.
    fn compare(&self, other: &Self) -> Option<Ordering> {
        if self.place() != other.place() {
            return Some(self.place().cmp(&other.place()));
        }
        let (a, b) = (&self.path, &other.path);
        let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        match (a.get(same), b.get(same)) {
            (Some(Token::Number(a)), Some(Token::Number(b))) => Some(a.cmp(b)),
            // `dense`, `dense_1`, `dense_2`.
            (None, Some(Token::Number(_))) => Some(Ordering::Less),
            (Some(Token::Number(_)), None) => Some(Ordering::Greater),
            _ => None,
        }
    }
}

/// A name cut into words and numbers, without what joins a number to the word before it.
fn tokens(text: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let is_number = c.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != is_number);
        let (token, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        tokens.push(if is_number {
            Token::Number(token.parse().map_err(|_| {
                Error::refused(format!("the number in the name `{text}` is too large"))
            })?)
        } else if rest.is_empty() {
            Token::Word(token.to_owned())
        } else {
            Token::Word(token.strip_suffix('_').unwrap_or(token).to_owned())
        });
    }
    Ok(tokens)
}

/// The tensors of a layer.
struct Pair {
    name: Name,
    storage: Option<Storage>,
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Pair {
    /// Neurons and inputs of the layer if it is stored so; `None` where its tensors do not fit.
    fn sizes(&self, storage: Storage) -> Option<(usize, usize)> {
        let (neurons, inputs) = match (storage, self.weight.shape.as_slice()) {
            (Storage::Neurons, &[neurons, inputs]) | (Storage::Inputs, &[inputs, neurons]) => {
                (neurons, inputs)
            }
            _ => return None,
        };
        let fits = self.bias.as_ref().is_none_or(|b| b.shape == [neurons]);
        fits.then_some((neurons, inputs))
    }
}

/// The model of these tensors, with the activations that `metadata` holds, or `options` in its
/// place, and the names of inputs and outputs and the ranges of inputs that `metadata` holds.
///
/// # Errors
/// Names the tensor: one that fits no layer; an order that the names do not tell; networks side by
/// side; weights that may be [neurons, inputs] as well as [inputs, neurons].
pub(super) fn model(
    tensors: Vec<(Name, Tensor, Precision)>,
    metadata: &HashMap<String, String>,
    options: &Options,
) -> Result<Model> {
    let precisions = tensors.iter().map(|(_, _, precision)| *precision);
    let precision = precisions.max().unwrap_or(Precision::F32);
    let pairs = pairs(tensors)?;
    let (storage, notes) = storage(&pairs)?;
    let inputs = |pair: &Pair| {
        let sizes = pair.sizes(pair.storage.unwrap_or(storage));
        sizes.map(|(_, inputs)| inputs)
    };
    let numbered: Vec<_> = pairs.iter().filter(|p| p.name.place() == 0).collect();
    refuse_side_by_side(&numbered, 0, &inputs)?;

    let activations = activations(metadata, options, pairs.len())?;
    let mut layers = Vec::new();
    for (pair, activation) in pairs.into_iter().zip(activations) {
        let weight = match pair.storage.unwrap_or(storage) {
            Storage::Neurons => pair.weight,
            Storage::Inputs => pair.weight.transposed(),
        };
        layers.push(Dense::new(weight, pair.bias, activation)?);
    }
    let mut model = Model::new(layers, precision)?.with_notes(notes);
    if let Some(names) = metadata.get("inputs") {
        model = model.with_input_names(split(names))?;
    }
    if let Some(names) = metadata.get("outputs") {
        model = model.with_output_names(split(names))?;
    }
    if let Some(units) = metadata.get("input_units") {
        model = model.with_input_units(split(units))?;
    }
    if let Some(units) = metadata.get("output_units") {
        model = model.with_output_units(split(units))?;
    }
    if let Some(list) = metadata.get("input_ranges") {
        model = model.with_input_ranges(ranges(list)?)?;
    }
    if let Some(list) = metadata.get("output_ranges") {
        model = model.with_output_ranges(ranges(list)?)?;
    }
    Ok(model)
}

/// The tensors in pairs of weight and bias, in the order of the layers.
fn pairs(mut tensors: Vec<(Name, Tensor, Precision)>) -> Result<Vec<Pair>> {
    // Sorted, so that the same tensors always give the same error.
    tensors.sort_by(|(a, ..), (b, ..)| {
        let key = |name: &Name| (name.place(), name.kind == Kind::Bias);
        let numbers = a.path.cmp(&b.path).then_with(|| a.text.cmp(&b.text));
        key(a).cmp(&key(b)).then(numbers)
    });
    let mut pairs = Vec::<Pair>::new();
    let mut places = BTreeMap::new();
    for (name, tensor, _) in tensors {
        let is_bias = match name.kind {
            Kind::Position => tensor.shape.len() < 2,
            kind => kind == Kind::Bias,
        };
        if !is_bias {
            if let Some(Pair { name: before, .. }) = pairs.last()
                && before.compare(&name).is_none()
            {
                return Err(Error::refused(format!(
                    "which of `{}` and `{}` comes first cannot be told by a number in their names",
                    before.text, name.text
                ))
                .with_help(WANTED));
            }
            let storage = match name.kind {
                Kind::Weight(storage) => storage,
                _ => None,
            };
            places.insert(name.path.clone(), pairs.len());
            pairs.push(Pair {
                name,
                storage,
                weight: tensor,
                bias: None,
            });
            continue;
        }
        let pair = match name.kind {
            Kind::Position => pairs.last_mut(),
            _ => places.get(&name.path).and_then(|&at| pairs.get_mut(at)),
        };
        match pair {
            Some(pair) if pair.bias.is_none() => pair.bias = Some(vector(tensor)),
            Some(pair) => {
                return Err(Error::refused(format!(
                    "the tensor `{}` is a second bias to `{}`",
                    name.text, pair.name.text
                )));
            }
            None => {
                return Err(Error::refused(format!(
                    "the tensor `{}` is a bias to which there is no weight",
                    name.text
                )));
            }
        }
    }
    if pairs.is_empty() {
        return Err(Error::refused("the file holds no weights"));
    }
    Ok(pairs)
}

/// A column or a row as the vector that it is: networks written by hand keep biases so.
fn vector(mut tensor: Tensor) -> Tensor {
    if let [n, 1] | [1, n] = tensor.shape[..] {
        tensor.shape = vec![n];
    }
    tensor
}

/// How the weights are stored whose names do not say it: as their sizes allow.
fn storage(pairs: &[Pair]) -> Result<(Storage, Vec<String>)> {
    let fits = |storage: Storage| {
        let sizes: Option<Vec<_>> = pairs
            .iter()
            .map(|pair| pair.sizes(pair.storage.unwrap_or(storage)))
            .collect();
        sizes.is_some_and(|sizes| sizes.windows(2).all(|pair| pair[0].0 == pair[1].1))
    };
    let transposed = "the weights were stored as [inputs, neurons] and are transposed";
    let Some(unsaid) = pairs.iter().find(|pair| pair.storage.is_none()) else {
        let is_any = pairs.iter().any(|p| p.storage == Some(Storage::Inputs));
        let notes = is_any.then(|| transposed.to_owned());
        return Ok((Storage::Neurons, notes.into_iter().collect()));
    };
    // A single number is its own transpose.
    let is_same = |pair: &Pair| pair.storage.is_some() || pair.weight.shape == [1, 1];
    match (fits(Storage::Neurons), fits(Storage::Inputs)) {
        (true, true) if !pairs.iter().all(is_same) => Err(Error::refused(format!(
            "the weights, `{}` first, fit as [neurons, inputs] and as [inputs, neurons]",
            unsaid.name.text
        ))
        .with_help(
            "name them 0.weight, 1.weight ... if they are [neurons, inputs], 0.kernel, 1.kernel \
             ... if they are [inputs, neurons]",
        )),
        (false, true) => Ok((
            Storage::Inputs,
            vec![format!("{transposed}, as their sizes tell")],
        )),
        // Where they fit neither way, the layer that does not is refused by its name.
        _ => Ok((Storage::Neurons, Vec::new())),
    }
}

/// Refuses several networks beside each other, such as the members of an ensemble, that would fit
/// one behind the other. Names of two numbers, `0.0.weight`, `1.0.weight`, may mean either; only
/// where the parts take different numbers of inputs they must be one network.
fn refuse_side_by_side(
    pairs: &[&Pair],
    depth: usize,
    inputs: &impl Fn(&Pair) -> Option<usize>,
) -> Result<()> {
    let token = |pair: &&Pair| pair.name.path.get(depth).cloned();
    let parts: Vec<_> = pairs.chunk_by(|a, b| token(a) == token(b)).collect();
    let is_nested = |pair: &&Pair| {
        let mut rest = pair.name.path.iter().skip(depth + 1);
        rest.any(|token| matches!(token, Token::Number(_)))
    };
    if let [first, .., last] = parts.as_slice()
        && pairs.iter().any(is_nested)
    {
        let first_inputs = inputs(first[0]);
        if parts.iter().all(|part| inputs(part[0]) == first_inputs) {
            return Err(Error::refused(format!(
                "`{}` and `{}` may be the beginnings of networks side by side, for they take the \
                 same number of inputs",
                first[0].name.text, last[0].name.text
            ))
            .with_help(
                "wanted is one network a file; if this is one, give each of its layers one \
                 number: 0.weight, 1.weight ...",
            ));
        }
    }
    for part in parts {
        if token(&part[0]).is_some() {
            refuse_side_by_side(part, depth + 1, inputs)?;
        }
    }
    Ok(())
}

fn activations(
    metadata: &HashMap<String, String>,
    options: &Options,
    layers: usize,
) -> Result<Vec<Activation>> {
    let (found, by) = match (&options.activations, metadata.get("activations")) {
        (Some(given), _) => (given.clone(), "given"),
        (None, Some(list)) => (Activation::parse_list(list)?, "named in the metadata"),
        (None, None) => {
            let names = ["tanh", "identity"];
            let example: Vec<_> = (1..=layers)
                .map(|l| names[usize::from(l == layers)])
                .collect();
            return Err(Error::refused(format!(
                "the file does not say the activations of its {layers} layers"
            ))
            .with_help(format!(
                "name them, one for each layer: --activations {}",
                example.join(",")
            )));
        }
    };
    if found.len() != layers {
        return Err(Error::refused(format!(
            "{} activations are {by} for {layers} layers",
            found.len()
        ))
        .with_help("there is one for each layer, `identity` where there is none"));
    }
    Ok(found)
}

/// `-1:1,0:0.5`, the range of each input.
fn ranges(list: &str) -> Result<Vec<Range<f64>>> {
    let range = |text: &String| {
        let (start, end) = text.split_once(':')?;
        Some(start.trim().parse().ok()?..end.trim().parse().ok()?)
    };
    let ranges = split(list);
    let ranges = ranges.iter().map(|text| {
        range(text).ok_or_else(|| {
            Error::refused(format!(
                "the metadata has the input range `{text}`, wanted two numbers such as -1:1"
            ))
        })
    });
    ranges.collect()
}

fn split(names: &str) -> Vec<String> {
    names
        .split(',')
        // More than a model may have are refused, however many.
        .take(WIDEST + 1)
        .map(|name| name.trim().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The weights of the model of tensors with these names and shapes, each filled with its place
    /// in the list, and what it says about them.
    fn read(tensors: &[(&str, &[usize])]) -> Result<Model> {
        let tensors = tensors.iter().zip(1..).map(|((name, shape), number)| {
            let tensor = Tensor {
                name: (*name).to_owned(),
                shape: shape.to_vec(),
                numbers: vec![f64::from(number); shape.iter().product()],
            };
            Ok((Name::new(name)?, tensor, Precision::F32))
        });
        let tensors: Vec<_> = tensors.collect::<Result<_>>()?;
        let weights = |(name, tensor, _): &&(Name, Tensor, _)| match name.kind {
            Kind::Position => tensor.shape.len() == 2,
            kind => kind != Kind::Bias,
        };
        let options = Options {
            activations: Some(vec![
                Activation::Tanh;
                tensors.iter().filter(weights).count()
            ]),
            ..Options::default()
        };
        model(tensors, &HashMap::new(), &options)
    }

    /// The names of the layers in their order.
    fn order(tensors: &[(&str, &[usize])]) -> Vec<String> {
        let model = read(tensors).unwrap_or_else(|e| panic!("{tensors:?}: {e}"));
        let names = model.layers().iter().map(|layer| layer.name().to_owned());
        names.collect()
    }

    fn error(tensors: &[(&str, &[usize])]) -> String {
        read(tensors).unwrap_err().to_string()
    }

    #[test]
    fn numbers_give_the_order() {
        let (a, b, c): (&[usize], &[usize], &[usize]) = (&[4, 3], &[5, 4], &[2, 5]);
        for names in [
            ["2.weight", "9.weight", "10.weight"],
            ["fc1.weight", "fc2.weight", "fc10.weight"],
            ["W0", "W1", "W2"],
            ["weight_1", "weight_2", "weight_3"],
            ["net.l1_w", "net.l2_w", "net.l3_w"],
            ["a.0.0.weight", "a.0.2.weight", "a.2.weight"],
            [
                "layers.0.linear.weight",
                "layers.1.linear.weight",
                "layers.2.linear.weight",
            ],
            ["fc1.weight", "fc2.weight", "fc_out.weight"],
            ["mlp.input.weight", "mlp.0.weight", "output_layer.weight"],
            ["weights_dense1_w", "weights_dense2_w", "weights_final_w"],
        ] {
            let files = [(names[2], c), (names[0], a), (names[1], b)];
            assert_eq!(order(&files), names);
        }
        let (a, b, c): (&[usize], &[usize], &[usize]) = (&[3, 4], &[4, 5], &[5, 2]);
        for names in [
            [
                "params/Dense_0/kernel",
                "params/Dense_1/kernel",
                "params/Dense_2/kernel",
            ],
            ["dense/kernel:0", "dense_1/kernel:0", "dense_10/kernel:0"],
            ["linear/w", "linear_1/w", "linear_2/w"],
        ] {
            let files = [(names[2], c), (names[0], a), (names[1], b)];
            assert_eq!(order(&files), names);
        }
    }

    #[test]
    fn biases_go_to_the_layers_of_their_names() {
        let model = read(&[
            ("b1", &[2]),
            ("W1", &[2, 3]),
            ("b0", &[3, 1]),
            ("W0", &[3, 4]),
        ]);
        let model = model.unwrap();
        let biases: Vec<_> = model
            .as_dense()
            .unwrap()
            .iter()
            .map(|l| l.bias()[0])
            .collect();
        assert_eq!(biases, [3.0, 1.0]);
        let model = read(&[("arr_0", &[4, 3]), ("arr_1", &[3]), ("arr_2", &[3, 2])]).unwrap();
        let dense = model.as_dense().unwrap();
        assert_eq!(dense[0].bias(), [2.0; 3]);
        assert_eq!(dense[1].bias(), [0.0; 2]);
        assert_eq!(
            error(&[("arr_0", &[3]), ("arr_1", &[3, 3])]),
            "the tensor `arr_0` is a bias to which there is no weight"
        );
        assert_eq!(
            error(&[("arr_0", &[3, 3]), ("arr_1", &[3]), ("arr_2", &[3])]),
            "the tensor `arr_2` is a second bias to `arr_0`"
        );
    }

    #[test]
    fn sizes_tell_how_weights_are_stored_or_the_name_must() {
        let model = read(&[("W0", &[2, 3]), ("b0", &[3])]).unwrap();
        assert_eq!(model.sizes(), [2, 3]);
        assert_eq!(
            model.notes(),
            [
                "the weights were stored as [inputs, neurons] and are transposed, as their sizes tell"
            ]
        );
        let tensor = Tensor {
            name: String::new(),
            shape: vec![2, 3],
            numbers: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        };
        assert_eq!(tensor.transposed().numbers, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);

        assert_eq!(
            error(&[("W0", &[3, 3]), ("b0", &[3]), ("W1", &[3, 3])]),
            "the weights, `W0` first, fit as [neurons, inputs] and as [inputs, neurons]"
        );
        assert_eq!(
            order(&[("0.weight", &[3, 3]), ("0.bias", &[3])]),
            ["0.weight"]
        );
        assert_eq!(
            order(&[("0.kernel", &[3, 3]), ("0.bias", &[3])]),
            ["0.kernel"]
        );
        assert_eq!(
            error(&[("W0", &[3, 4]), ("W1", &[5, 6])]),
            "the layer of `W1` takes 6 inputs, but the layer of `W0` before it has 3 outputs"
        );
    }

    #[test]
    fn networks_side_by_side_are_refused() {
        let beside = |first: &str, last: &str| {
            format!(
                "`{first}` and `{last}` may be the beginnings of networks side by side, for they \
                 take the same number of inputs"
            )
        };
        let square: &[usize] = &[8, 8];
        assert_eq!(
            error(&[("0.0.weight", square), ("1.0.weight", square)]),
            beside("0.0.weight", "1.0.weight")
        );
        assert_eq!(
            error(&[
                ("nets.0.0.weight", &[5, 8]),
                ("nets.0.2.weight", &[8, 5]),
                ("nets.1.0.weight", &[6, 8]),
                ("nets.1.2.weight", &[8, 6]),
            ]),
            beside("nets.0.0.weight", "nets.1.0.weight")
        );
        assert_eq!(
            error(&[("q1.0.weight", square), ("q2.0.weight", &[1, 8])]),
            beside("q1.0.weight", "q2.0.weight")
        );
        assert_eq!(
            error(&[
                ("in.weight", square),
                ("m.0.0.weight", square),
                ("m.1.0.weight", square),
                ("out.weight", square),
            ]),
            beside("m.0.0.weight", "m.1.0.weight")
        );
        assert_eq!(
            error(&[("actor.0.weight", square), ("critic.0.weight", &[1, 8])]),
            "which of `actor.0.weight` and `critic.0.weight` comes first cannot be told by a \
             number in their names"
        );
        assert_eq!(
            error(&[
                ("policy_head.weight", &[1, 8]),
                ("value_head.weight", &[1, 8])
            ]),
            "which of `policy_head.weight` and `value_head.weight` comes first cannot be told by a \
             number in their names"
        );
        // Parts of one network take different numbers of inputs.
        order(&[
            ("0.0.weight", &[8, 4]),
            ("1.0.weight", &[8, 8]),
            ("2.0.weight", &[1, 8]),
        ]);
    }

    #[test]
    fn long_names_are_refused() {
        let name = "0.".repeat(100_000) + "weight";
        assert!(error(&[(&name, &[1, 1])]).ends_with("has more than 64 words and numbers"));
    }
}
