//! One evaluation, or all those of a share of a batch, on one kind of vectors.

use std::{mem, ops::Range};

use pulp::WithSimd;

use super::{
    Float,
    packed::Packed,
    simd::{Sums, activate, lanes, scale},
};

/// The scratch memory of a pass.
#[derive(Debug, Clone, Default)]
pub(super) struct Panels<T> {
    /// What a layer reads and what it writes: columns, the values first, then the tangents; in
    /// reverse rows of cotangents.
    front: Vec<T>,
    back: Vec<T>,
    /// The slopes of all layers.
    slopes: Vec<T>,
    /// The tangents at the cut, packed to be multiplied by cotangents.
    kept: Vec<T>,
}

/// What is computed beside the value.
#[derive(Debug)]
pub(super) enum Wanted<'a, T> {
    /// Nothing.
    Value,
    /// These columns of the Jacobian, accumulated forward through the first `cut` layers.
    Columns {
        inputs: Range<usize>,
        cut: usize,
        jacobian: &'a mut [T],
    },
    /// The product of the Jacobian with the tangent.
    Jvp { v: &'a [T], tangent: &'a mut [T] },
    /// The product of the cotangent with the Jacobian.
    Vjp { w: &'a [T], cotangent: &'a mut [T] },
}

/// The layers, the inputs one after the other, and where the results go.
///
/// It is entered once, through [`Simd::run`](super::simd::Simd::run), and stays in code for one kind
/// of vectors; what it calls is either inlined or entered with `vectorize`.
#[derive(Debug)]
pub(super) struct Pass<'a, T> {
    pub(super) layers: &'a [Packed<T>],
    /// How many inputs are evaluated side by side at most: the sums and activations of one alone
    /// wait for each other. Products with one vector take one input.
    pub(super) group: usize,
    pub(super) panels: &'a mut Panels<T>,
    pub(super) x: &'a [T],
    pub(super) value: &'a mut [T],
    pub(super) wanted: Wanted<'a, T>,
}

impl<T: Float> WithSimd for Pass<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, simd: S) {
        let (Some(first), Some(last)) = (self.layers.first(), self.layers.last()) else {
            return;
        };
        let (inputs, outputs) = (first.inputs, last.outputs);
        self.room::<S>();
        let mut done = 0;
        while (done + 1) * inputs <= self.x.len() {
            let group = self.group.min(self.x.len() / inputs - done);
            self.evaluate(simd, done, group, (inputs, outputs));
            done += group;
        }
    }
}

impl<T: Float> Pass<'_, T> {
    /// How many tangents an input has, after how many layers they end, and how many cotangents.
    #[inline(always)]
    fn widths(&self) -> (usize, usize, usize) {
        let depth = self.layers.len();
        match &self.wanted {
            Wanted::Value => (0, depth, 0),
            Wanted::Columns { inputs, cut, .. } => {
                (inputs.len(), *cut, self.layers[depth - 1].outputs)
            }
            Wanted::Jvp { .. } => (1, depth, 0),
            Wanted::Vjp { .. } => (0, 0, 1),
        }
    }

    /// Room for the widest panel, which may be that of the inputs, and for all slopes.
    #[inline(always)]
    fn room<S: pulp::Simd>(&mut self) {
        let (tangents, cut, cotangents) = self.widths();
        let columns = match cut {
            0 => cotangents.max(1),
            _ => cotangents.max(1 + tangents),
        };
        let (mut longest, mut neurons) = (0, 0);
        for layer in self.layers {
            longest = longest.max(layer.row()).max(layer.column());
            neurons += layer.column();
        }
        let kept = match self.layers.get(cut) {
            Some(layer) if cut > 0 => tangents.next_multiple_of(lanes::<T, S>()) * layer.inputs,
            _ => 0,
        };
        let panels = &mut *self.panels;
        for (panel, numbers) in [
            (&mut panels.front, columns * longest),
            (&mut panels.back, columns * longest),
            (&mut panels.slopes, neurons),
            (&mut panels.kept, kept),
        ] {
            if panel.len() < self.group * numbers {
                panel.resize(self.group * numbers, T::ZERO);
            }
        }
    }

    /// What is wanted at a group of inputs after the first `done`.
    #[inline(always)]
    fn evaluate<S: pulp::Simd>(
        &mut self,
        simd: S,
        done: usize,
        group: usize,
        (inputs, outputs): (usize, usize),
    ) {
        let (tangents, cut, rows) = self.widths();
        let (layers, depth) = (self.layers, self.layers.len());
        let x = &self.x[done * inputs..][..group * inputs];
        let value = &mut self.value[done * outputs..][..group * outputs];
        let Panels {
            front,
            back,
            slopes,
            kept,
        } = &mut *self.panels;
        let (mut front, mut back) = (&mut front[..], &mut back[..]);

        // Forward: the values, then for each input its tangents.
        front[..x.len()].copy_from_slice(x);
        if let Wanted::Jvp { v, .. } = &self.wanted {
            front[x.len()..][..v.len()].copy_from_slice(v);
        }
        let (mut length, mut at) = (inputs, 0);
        for (k, layer) in layers.iter().enumerate() {
            let tangents = if k < cut { tangents } else { 0 };
            // The tangents of the input are the unit vectors, so that ∂/∂xⱼ is the slope times
            // column j of the weights.
            let unit = match &self.wanted {
                Wanted::Columns { inputs, .. } if k == 0 => Some(inputs),
                _ => None,
            };
            let columns = match unit {
                Some(_) => group,
                None => group * (1 + tangents),
            };
            layer.sums(simd, (front, length), back, columns, group);
            length = layer.column();
            let (values, rest) = back.split_at_mut(group * length);
            let slope = &mut slopes[at..][..group * length];
            at += group * length;
            match &self.wanted {
                Wanted::Value => activate(simd, layer.activation, values, None),
                _ => activate(simd, layer.activation, values, Some(&mut *slope)),
            }
            if tangents > 0 {
                let rest = &mut rest[..group * tangents * length];
                match unit {
                    Some(inputs) => layer.first_tangents(simd, inputs, slope, rest),
                    None => scale(simd, rest, slope, (tangents, length)),
                }
            }
            mem::swap(&mut front, &mut back);
            if k + 1 == cut && cut < depth {
                let panel = &front[group * length..][..group * tangents * length];
                keep::<T, S>(panel, (tangents, length, layer.outputs), kept);
            }
        }
        copy_rows(front, length, value, outputs);
        match &mut self.wanted {
            Wanted::Value => return,
            Wanted::Jvp { tangent, .. } => {
                tangent.copy_from_slice(&front[length..][..outputs]);
                return;
            }
            Wanted::Columns { jacobian, .. } if cut == depth => {
                let each = outputs * tangents;
                for input in 0..group {
                    transpose(
                        &front[(group + input * tangents) * length..],
                        length,
                        &mut jacobian[(done + input) * each..][..each],
                        tangents,
                    );
                }
                return;
            }
            _ => {}
        }

        // In reverse: the cotangents of each input.
        let mut number = depth;
        if let Wanted::Vjp { w, .. } = &self.wanted {
            front[..w.len()].copy_from_slice(w);
        } else {
            // Those of the outputs are the unit vectors.
            number -= 1;
            at -= group * length;
            let slopes = &slopes[at..][..group * length];
            layers[number].last_cotangents(simd, slopes, front);
        }
        while number > cut {
            number -= 1;
            let layer = &layers[number];
            length = layer.column();
            at -= group * length;
            let slopes = &slopes[at..][..group * length];
            scale(
                simd,
                &mut front[..group * rows * length],
                slopes,
                (rows, length),
            );
            layer.cotangents(simd, (front, length), back, group * rows);
            mem::swap(&mut front, &mut back);
        }
        length = layers[cut].row();
        match &mut self.wanted {
            Wanted::Vjp { cotangent, .. } => cotangent.copy_from_slice(&front[..inputs]),
            Wanted::Columns {
                jacobian, inputs, ..
            } => {
                let jacobian = &mut jacobian[done * rows * inputs.len()..];
                let jacobian = &mut jacobian[..group * rows * inputs.len()];
                let mut from = inputs.start;
                if cut > 0 {
                    from = 0;
                    let terms = layers[cut].inputs;
                    let columns = inputs.len().next_multiple_of(lanes::<T, S>());
                    for input in 0..group {
                        Sums {
                            left: &kept[input * columns * terms..][..columns * terms],
                            bias: (&[], 0),
                            terms,
                            right: (&front[input * rows * length..], length),
                            output: (&mut back[input * rows * columns..], columns),
                            columns: rows,
                        }
                        .sum(simd);
                    }
                    mem::swap(&mut front, &mut back);
                    length = columns;
                }
                copy_rows(&front[from..], length, jacobian, inputs.len());
            }
            _ => {}
        }
    }
}

/// The tangents at the cut, packed for each input: blocks of as many columns as a vector has lanes,
/// of each block those of the first neuron, of the second, and so on.
#[inline(always)]
fn keep<T: Float, S: pulp::Simd>(
    panel: &[T],
    (columns, length, neurons): (usize, usize, usize),
    kept: &mut [T],
) {
    let lanes = lanes::<T, S>();
    let each = columns.next_multiple_of(lanes) * neurons;
    for input in 0..panel.len() / (columns * length) {
        for c in 0..columns {
            let tangent = &panel[(input * columns + c) * length..][..neurons];
            let block = &mut kept[input * each + c / lanes * lanes * neurons..][..lanes * neurons];
            for i in 0..neurons {
                block[i * lanes + c % lanes] = tangent[i];
            }
        }
    }
}

/// The first numbers of rows of this length, as many of each as `each` says, to `output`.
#[inline(always)]
fn copy_rows<T: Float>(rows: &[T], length: usize, output: &mut [T], each: usize) {
    for i in 0..output.len() / each {
        output[i * each..][..each].copy_from_slice(&rows[i * length..][..each]);
    }
}

/// Columns of this length to rows of as many numbers as there are columns.
#[inline(always)]
fn transpose<T: Float>(columns: &[T], length: usize, rows: &mut [T], count: usize) {
    for i in 0..rows.len() / count {
        let row = &mut rows[i * count..][..count];
        for c in 0..count {
            row[c] = columns[c * length + i];
        }
    }
}
