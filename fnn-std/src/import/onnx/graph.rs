//! The nodes of a graph with its functions put in their places, and the order to read them in.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    rc::Rc,
};

use super::proto;
use crate::error::{Error, Result};

/// A value's name; empty where a value is left out.
pub(super) type Name = Rc<str>;

/// A node of the graph or of a function in it.
#[derive(Debug)]
pub(super) struct Node<'m> {
    pub(super) operator: &'m str,
    pub(super) domain: &'m str,
    pub(super) inputs: Vec<Name>,
    pub(super) outputs: Vec<Name>,
    pub(super) attributes: Vec<(&'m str, &'m proto::Attribute)>,
    /// The version of the operators of its domain.
    pub(super) version: i64,
    /// Its name or, if it has none, that of its first output.
    pub(super) name: Rc<str>,
    /// Its number in the graph; that of the call, in a function.
    number: usize,
}

/// The nodes, and which of them makes each value.
#[derive(Debug)]
pub(super) struct Graph<'m> {
    pub(super) nodes: Vec<Node<'m>>,
    makers: HashMap<Name, usize>,
}

/// Nodes at most, those in functions counted at every call.
const MOST_NODES: usize = 1 << 14;

/// Functions inside each other at most.
const DEEPEST: usize = 16;

/// Bytes at most that calls of functions make of names, inputs, outputs and attributes: a short file
/// may call a function with long names many times.
const MOST_MADE: usize = 32 << 20;

/// Sets of operators at most, which are looked through for each node.
const MOST_SETS: usize = 256;

/// Refuses two of one name, of which one reader takes the first and another one the last; what has no
/// name is not looked up by it.
pub(super) fn distinct<'n>(
    names: impl IntoIterator<Item = &'n str>,
    twice: impl Fn(&str) -> String,
) -> Result<()> {
    let mut seen = HashSet::new();
    let mut named = names.into_iter().filter(|name| !name.is_empty());
    match named.find(|name| !seen.insert(*name)) {
        Some(name) => Err(Error::refused(twice(name))),
        None => Ok(()),
    }
}

/// The domain of ONNX's own operators has two names.
fn is_own(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// Refuses two versions of one set of operators.
fn check_versions(sets: &[proto::OperatorSet]) -> Result<()> {
    if sets.len() > MOST_SETS {
        return Err(Error::refused(format!(
            "the file names {} sets of operators, wanted at most {MOST_SETS}",
            sets.len()
        )));
    }
    let mut versions = HashMap::new();
    for set in sets {
        let domain = if is_own(&set.domain) {
            "ai.onnx"
        } else {
            &*set.domain
        };
        let first = *versions.entry(domain).or_insert(set.version);
        if first != set.version {
            return Err(Error::refused(format!(
                "the file names versions {first} and {} of the operators of `{domain}`",
                set.version
            )));
        }
    }
    Ok(())
}

impl Node<'_> {
    /// The operator and the node, for messages.
    pub(super) fn place(&self) -> String {
        let domain = match self.domain {
            "" | "ai.onnx" => String::new(),
            domain => format!("{domain}."),
        };
        format!(
            "the operator `{domain}{}` of node {} `{}`",
            self.operator, self.number, self.name
        )
    }
}

impl<'m> Graph<'m> {
    pub(super) fn new(model: &'m proto::Model, graph: &'m proto::Graph) -> Result<Self> {
        let mut functions = HashMap::new();
        for function in &model.functions {
            let key = (&*function.domain, &*function.name, &*function.overload);
            if functions.insert(key, function).is_some() {
                return Err(Error::refused(format!(
                    "two functions are named `{}.{}`",
                    function.domain, function.name
                )));
            }
        }
        check_versions(&model.opset_import)?;
        let mut inlined = Inlined {
            functions,
            nodes: Vec::new(),
            calls: 0,
            made: 0,
        };
        let scope = Scope {
            prefix: None,
            names: HashMap::new(),
            attributes: HashMap::new(),
            versions: &model.opset_import,
            number: None,
        };
        inlined.append(&graph.node, &scope, 0)?;
        let inputs = || graph.input.iter().map(|input| &*input.name);
        distinct(inputs(), |name| {
            format!("the graph has two inputs `{name}`")
        })?;
        let sparse = graph.sparse_initializer.iter();
        let sparse = sparse.filter_map(|sparse| sparse.values.as_ref());
        let stored = || graph.initializer.iter().chain(sparse.clone());
        let stored = || stored().map(|tensor| &*tensor.name);
        distinct(stored(), |name| {
            format!("the graph stores two tensors `{name}`")
        })?;
        let mut given: HashMap<&str, &str> = inputs().map(|name| (name, "an input")).collect();
        given.extend(stored().map(|name| (name, "a stored tensor")));
        let mut makers = HashMap::new();
        for (number, node) in inlined.nodes.iter().enumerate() {
            for output in node.outputs.iter().filter(|name| !name.is_empty()) {
                if let Some(what) = given.get(&**output) {
                    return Err(Error::refused(format!(
                        "{} makes the value `{output}`, which is {what} of the graph too",
                        node.place()
                    )));
                }
                match makers.entry(output.clone()) {
                    Entry::Vacant(free) => {
                        free.insert(number);
                    }
                    Entry::Occupied(_) => {
                        return Err(Error::refused(format!(
                            "two nodes make the value `{output}`"
                        )));
                    }
                }
            }
        }
        Ok(Self {
            nodes: inlined.nodes,
            makers,
        })
    }

    /// A way through the graph on which no node has been met.
    pub(super) fn walk(&self) -> Walk<'_, 'm> {
        Walk {
            graph: self,
            state: vec![0; self.nodes.len()],
            seen: HashSet::new(),
        }
    }

    /// The node that makes a value.
    pub(super) fn maker(&self, value: &str) -> Option<&Node<'m>> {
        self.makers.get(value).map(|&number| &self.nodes[number])
    }
}

/// A way back through the graph from several values, which meets each node once, however many of
/// them need it.
pub(super) struct Walk<'g, 'm> {
    graph: &'g Graph<'m>,
    /// Of each node: not looked at, being looked at, done.
    state: Vec<u8>,
    /// The values met that no node makes.
    seen: HashSet<Name>,
}

impl Walk<'_, '_> {
    /// The nodes that a value needs beside those met before, in an order to evaluate them in, and
    /// the other values that they start from.
    pub(super) fn before(&mut self, value: &str) -> Result<(Vec<usize>, Vec<Name>)> {
        let Self { graph, state, seen } = self;
        let (mut order, mut leaves) = (Vec::new(), Vec::new());
        let mut stack = Vec::new();
        match graph.makers.get(value) {
            Some(&maker) if state[maker] == 0 => stack.push((maker, 0)),
            Some(_) => {}
            None => {
                let value = Name::from(value);
                if seen.insert(value.clone()) {
                    leaves.push(value);
                }
            }
        }
        while let Some((number, next)) = stack.pop() {
            let node = &graph.nodes[number];
            state[number] = 1;
            let Some(input) = node.inputs.get(next) else {
                state[number] = 2;
                order.push(number);
                continue;
            };
            stack.push((number, next + 1));
            match graph.makers.get(input) {
                Some(&maker) if state[maker] == 0 => stack.push((maker, 0)),
                Some(&maker) if state[maker] == 1 => {
                    return Err(Error::refused(format!(
                        "{} needs its own output: the graph has a cycle",
                        graph.nodes[maker].place()
                    )));
                }
                Some(_) => {}
                None if input.is_empty() => {}
                None => {
                    if seen.insert(input.clone()) {
                        leaves.push(input.clone());
                    }
                }
            }
        }
        Ok((order, leaves))
    }
}

/// What names and attributes in the body of a function stand for.
struct Scope<'m> {
    prefix: Option<String>,
    names: HashMap<&'m str, Name>,
    attributes: HashMap<&'m str, &'m proto::Attribute>,
    versions: &'m [proto::OperatorSet],
    number: Option<usize>,
}

impl Scope<'_> {
    fn name(&self, name: &str) -> Name {
        match (&self.prefix, self.names.get(name)) {
            (_, Some(known)) => known.clone(),
            (Some(prefix), None) if !name.is_empty() => format!("{prefix}{name}").into(),
            _ => name.into(),
        }
    }
}

struct Inlined<'m> {
    functions: HashMap<(&'m str, &'m str, &'m str), &'m proto::Function>,
    nodes: Vec<Node<'m>>,
    calls: usize,
    /// Bytes made by calls of functions.
    made: usize,
}

impl<'m> Inlined<'m> {
    /// Counts what a call of a function makes of so many items with names of so many bytes.
    fn made(&mut self, items: usize, bytes: usize) -> Result<()> {
        let each = size_of::<(Name, Name)>();
        self.made = self.made.saturating_add(items * each + bytes);
        if self.made > MOST_MADE {
            return Err(Error::refused(format!(
                "the calls of functions would make more than {MOST_MADE} bytes of names and \
                 attributes"
            )));
        }
        Ok(())
    }

    fn append(&mut self, nodes: &'m [proto::Node], scope: &Scope<'m>, depth: usize) -> Result<()> {
        for (number, node) in nodes.iter().enumerate() {
            let number = scope.number.unwrap_or(number);
            let mut attributes = Vec::new();
            for attribute in &node.attribute {
                let reference = &*attribute.ref_attr_name;
                if reference.is_empty() {
                    attributes.push((&*attribute.name, attribute));
                } else if let Some(&given) = scope.attributes.get(reference) {
                    attributes.push((&*attribute.name, given));
                }
            }
            distinct(attributes.iter().map(|(name, _)| *name), |name| {
                format!(
                    "node {number}, a `{}`, has the attribute `{name}` twice",
                    node.op_type
                )
            })?;
            if let Some(prefix) = &scope.prefix {
                let names = || node.input.iter().chain(&node.output).chain([&node.name]);
                let bytes = names().map(|name| prefix.len() + name.len()).sum();
                self.made(names().count() + attributes.len(), bytes)?;
            }
            let names = |names: &[String]| names.iter().map(|name| scope.name(name)).collect();
            let (inputs, outputs): (Vec<Name>, Vec<Name>) =
                (names(&node.input), names(&node.output));
            let key = (&*node.domain, &*node.op_type, &*node.overload);
            let count = self.nodes.len() + self.calls;
            if count >= MOST_NODES {
                return Err(Error::refused(format!(
                    "the graph has more than {MOST_NODES} nodes"
                )));
            }
            let Some(&function) = self.functions.get(&key) else {
                let same = |set: &&proto::OperatorSet| {
                    set.domain == node.domain || is_own(&set.domain) && is_own(&node.domain)
                };
                let version = scope
                    .versions
                    .iter()
                    .find(same)
                    .map_or(1, |set| set.version);
                let own = scope.name(&node.name);
                let name = if own.is_empty() {
                    outputs.first().cloned()
                } else {
                    Some(own)
                };
                self.nodes.push(Node {
                    operator: &node.op_type,
                    domain: &node.domain,
                    inputs,
                    outputs,
                    attributes,
                    version,
                    name: name.unwrap_or_default(),
                    number,
                });
                continue;
            };
            if depth >= DEEPEST {
                return Err(Error::refused(format!(
                    "the function `{}` is inside more than {DEEPEST} others, or inside itself",
                    function.name
                )));
            }
            self.calls += 1;
            let formals = || function.input.iter().chain(&function.output);
            let defaults = &function.attribute_proto;
            self.made(formals().count() + defaults.len(), 0)?;
            let twice = |name: &str| format!("the function `{}` has `{name}` twice", function.name);
            distinct(formals().map(String::as_str), twice)?;
            distinct(defaults.iter().map(|default| &*default.name), twice)?;
            check_versions(&function.opset_import)?;
            let mut inside = Scope {
                prefix: Some(format!(
                    "{}/{}/",
                    scope.prefix.as_deref().unwrap_or(""),
                    self.calls
                )),
                names: HashMap::new(),
                attributes: HashMap::new(),
                versions: if function.opset_import.is_empty() {
                    scope.versions
                } else {
                    &function.opset_import
                },
                number: Some(number),
            };
            if inputs.len() > function.input.len() || outputs.len() > function.output.len() {
                return Err(Error::refused(format!(
                    "the function `{}` is called with {} inputs and {} outputs, it has {} and {}",
                    function.name,
                    inputs.len(),
                    outputs.len(),
                    function.input.len(),
                    function.output.len()
                )));
            }
            let given = inputs.into_iter().map(Some).chain(std::iter::repeat(None));
            for (formal, actual) in function.input.iter().zip(given) {
                inside.names.insert(formal, actual.unwrap_or_default());
            }
            for (formal, actual) in function.output.iter().zip(outputs) {
                if !actual.is_empty() {
                    inside.names.insert(formal, actual);
                }
            }
            for default in defaults {
                inside.attributes.insert(&default.name, default);
            }
            inside.attributes.extend(attributes);
            self.append(&function.node, &inside, depth + 1)?;
        }
        Ok(())
    }
}
