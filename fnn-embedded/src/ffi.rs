//! A network behind a C interface: what the functions of a header that `fnn generate` writes do.
//!
//! A generated crate exports a function of each kind with the sizes of its model, and each calls the
//! one of this file that has its name. There are seven, and each returns a [`Status`] as a number:
//!
//! | function | what it writes |
//! |---|---|
//! | [`evaluate`], [`evaluate_col`] | the value `f` and the Jacobian `g`, row by row or column by column, whichever is needed |
//! | [`value`] | the value alone |
//! | [`columns`] | the value and some columns of the Jacobian |
//! | [`jvp`], [`vjp`] | the value and J·v, or wᵀ·J |
//! | [`self_test`] | the first number that has other bits than on the desk |
//!
//! [`isat`] is `evaluate_col` in the form that the solver ISAT calls.
//!
//! # What C vouches for
//! [`Source`], [`Target`] and [`Scratch`] are pointers that only C makes: Rust code has no way to make
//! one. Whoever calls from C vouches that each
//! - is null, or points to as many numbers as its type says, aligned as the type of number is,
//! - stays so until the function returns, and meanwhile no other task or interrupt writes there,
//! - as a `Target` or `Scratch` overlaps no other one. A `Source` may overlap a `Target`: all inputs are
//!   read before the first number is written.
//!
//! The header says the same in C's words. All `unsafe` that this takes is in this file.

#![allow(
    clippy::too_many_arguments,
    reason = "the arguments are those of the C functions"
)]

mod status;

use core::{
    cell::UnsafeCell,
    ffi::{CStr, c_char, c_int},
};

use fnn_core::{Layer, Network, Order, Record, SVector, Scalar, Workspace, nalgebra::Const};

pub use status::Status;

/// Numbers that C gives to be read: a pointer to `N` of them, or null.
#[derive(Debug)]
#[repr(transparent)]
pub struct Source<T, const N: usize>(*const [T; N]);

/// Room in C's memory for `N` numbers: a pointer to it, or null.
#[derive(Debug)]
#[repr(transparent)]
pub struct Target<T, const N: usize>(*mut [T; N]);

/// A workspace in C's memory: a pointer to `LEN` numbers, or null.
#[derive(Debug)]
#[repr(transparent)]
pub struct Scratch<T, const LEN: usize>(*mut Workspace<T, LEN>);

/// The workspace of the C functions that take none: a `static` of the library.
///
/// Two of them must not run at once, which whoever calls from C vouches for.
#[derive(Debug)]
#[repr(transparent)]
pub struct Shared<T, const LEN: usize>(UnsafeCell<Workspace<T, LEN>>);

// SAFETY: it is used through `scratch` alone, in calls from C, and the caller in C vouches that no two
// of these run at once.
unsafe impl<T: Send, const LEN: usize> Sync for Shared<T, LEN> {}

impl<T: Scalar, const LEN: usize> Shared<T, LEN> {
    /// A workspace of zeros. Never panics.
    #[allow(clippy::new_without_default, reason = "it is for statics")]
    pub const fn new() -> Self {
        Self(UnsafeCell::new(Workspace::new()))
    }

    /// The pointer to it that C would give.
    pub const fn scratch(&'static self) -> Scratch<T, LEN> {
        Scratch(self.0.get())
    }
}

impl<T: Copy, const N: usize> Source<T, N> {
    /// The numbers, if the pointer is not null.
    #[inline(always)]
    fn read(self) -> Option<[T; N]> {
        // SAFETY: it is not null, and so, as the caller in C vouches, points to `N` numbers.
        (!self.0.is_null()).then(|| unsafe { self.0.read() })
    }
}

impl<T: Copy, const N: usize> Target<T, N> {
    #[inline(always)]
    fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// Write these numbers, if the pointer is not null.
    #[inline(always)]
    fn write(self, numbers: &[T; N]) {
        if !self.0.is_null() {
            // SAFETY: it is not null, and so, as the caller in C vouches, points to room for `N` numbers.
            // Nothing is read there, so it need not hold numbers yet.
            unsafe { self.0.write(*numbers) };
        }
    }
}

impl<T: Copy, const ROWS: usize, const COLS: usize> Target<[T; COLS], ROWS> {
    /// Write a matrix row by row, of which these are the columns, if the pointer is not null.
    #[inline(always)]
    fn write_rows(self, columns: &[[T; ROWS]]) {
        if self.0.is_null() {
            return;
        }
        for (j, column) in (0..COLS).zip(columns) {
            for (i, &number) in column.iter().enumerate() {
                // SAFETY: it is not null, and so, as the caller in C vouches, points to room for `ROWS`
                // rows of `COLS` numbers; `i` is below `ROWS`, and `j` below `COLS`.
                unsafe { self.0.cast::<T>().add(i * COLS + j).write(number) };
            }
        }
    }
}

impl<T, const LEN: usize> Scratch<T, LEN> {
    /// The workspace, if the pointer is not null.
    #[inline(always)]
    fn lend<'w>(self) -> Option<&'w mut Workspace<T, LEN>> {
        // SAFETY: null becomes `None`. Else it points, as the caller in C vouches, to `LEN` numbers that
        // nothing else uses before the function returns, and a workspace lies in memory as they do. It
        // may hold any bits, as numbers may: its contents are never read before they are written. The
        // functions of this file do not let the reference out.
        unsafe { self.0.as_mut() }
    }
}

/// Value and Jacobian of the network at `x`: the value to `f` where `need[0]` is not zero, the Jacobian
/// to `g` row by row, `g[i][j]` = ∂ output i / ∂ input j, where `need[1]` is not zero. What is not needed
/// is not written, and its pointer may be null. Where nothing is needed, nothing is looked at but
/// `need`. Never panics.
///
/// Without the Jacobian the value takes what [`Network::value`] takes. With it the value is computed on
/// the way, needed or not, since the slopes come from the same sums.
#[inline(never)]
pub fn evaluate<L, O, const IN: usize, const OUT: usize, const LEN: usize>(
    network: &'static Network<L, O>,
    need: Source<c_int, 2>,
    x: Source<L::Scalar, IN>,
    f: Target<L::Scalar, OUT>,
    g: Target<[L::Scalar; IN], OUT>,
    workspace: Scratch<L::Scalar, LEN>,
) -> c_int
where
    L: Layer<Input = Const<IN>, Output = Const<OUT>>,
    O: Order,
{
    let is_null = g.is_null();
    needed(network, need, x, f, is_null, workspace, |columns| {
        g.write_rows(columns);
    })
}

/// As [`evaluate`], with the Jacobian column by column: `g[j][i]` = ∂ output i / ∂ input j. Never panics.
#[inline(never)]
pub fn evaluate_col<L, O, const IN: usize, const OUT: usize, const LEN: usize>(
    network: &'static Network<L, O>,
    need: Source<c_int, 2>,
    x: Source<L::Scalar, IN>,
    f: Target<L::Scalar, OUT>,
    g: Target<[L::Scalar; OUT], IN>,
    workspace: Scratch<L::Scalar, LEN>,
) -> c_int
where
    L: Layer<Input = Const<IN>, Output = Const<OUT>>,
    O: Order,
{
    let is_null = g.is_null();
    needed(network, need, x, f, is_null, workspace, |columns| {
        if let Some(columns) = columns.first_chunk() {
            g.write(columns);
        }
    })
}

/// What `evaluate` and `evaluate_col` share: all but where the Jacobian goes.
#[inline(always)]
fn needed<L, O, const IN: usize, const OUT: usize, const LEN: usize>(
    network: &'static Network<L, O>,
    need: Source<c_int, 2>,
    x: Source<L::Scalar, IN>,
    f: Target<L::Scalar, OUT>,
    g_is_null: bool,
    workspace: Scratch<L::Scalar, LEN>,
    write: impl FnOnce(&[[L::Scalar; OUT]]),
) -> c_int
where
    L: Layer<Input = Const<IN>, Output = Const<OUT>>,
    O: Order,
{
    let Some(need) = need.read() else {
        return Status::Null as c_int;
    };
    let [value, jacobian] = need.map(|need| need != 0);
    if !value && !jacobian {
        return Status::Ok as c_int;
    }
    if value && f.is_null() || jacobian && g_is_null {
        return Status::Null as c_int;
    }
    if !jacobian {
        return self::value(network, x, f, workspace);
    }
    let (Some(x), Some(workspace)) = (x.read(), workspace.lend()) else {
        return Status::Null as c_int;
    };
    let mut y = [L::Scalar::ZERO; OUT];
    let columns = pass(network, &SVector::from(x), &mut y, workspace);
    if value {
        f.write(&y);
    }
    write(columns);
    Status::Ok as c_int
}

/// The one copy of the evaluation's code, which all functions of a network share.
#[inline(never)]
fn pass<'w, L, O, const IN: usize, const OUT: usize, const LEN: usize>(
    network: &'static Network<L, O>,
    x: &SVector<L::Scalar, IN>,
    value: &mut [L::Scalar; OUT],
    workspace: &'w mut Workspace<L::Scalar, LEN>,
) -> &'w [[L::Scalar; OUT]]
where
    L: Layer<Input = Const<IN>, Output = Const<OUT>>,
    O: Order,
{
    network.evaluate_in_workspace(x, value, workspace)
}

/// The value alone, compiled apart from what its caller does with registers.
#[inline(never)]
fn value_pass<L, O, const IN: usize, const OUT: usize, const LEN: usize>(
    network: &'static Network<L, O>,
    x: &SVector<L::Scalar, IN>,
    workspace: &mut Workspace<L::Scalar, LEN>,
) -> SVector<L::Scalar, OUT>
where
    L: Layer<Input = Const<IN>, Output = Const<OUT>>,
    O: Order,
{
    network.value(x, workspace)
}

/// The value of the network at `x`, to `f`. Never panics.
#[inline(never)]
pub fn value<L, O, const IN: usize, const OUT: usize, const LEN: usize>(
    network: &'static Network<L, O>,
    x: Source<L::Scalar, IN>,
    f: Target<L::Scalar, OUT>,
    workspace: Scratch<L::Scalar, LEN>,
) -> c_int
where
    L: Layer<Input = Const<IN>, Output = Const<OUT>>,
    O: Order,
{
    let (Some(x), Some(workspace), false) = (x.read(), workspace.lend(), f.is_null()) else {
        return Status::Null as c_int;
    };
    let [y] = value_pass(network, &SVector::from(x), workspace).data.0;
    f.write(&y);
    Status::Ok as c_int
}

/// The value of the network at `x`, to `f`, and the columns of its Jacobian by the `COLS` inputs from
/// `first` on, to `g`: `g[i][k]` = ∂ output i / ∂ input `first` + k. Never panics.
#[inline(never)]
pub fn columns<L, O, const IN: usize, const OUT: usize, const COLS: usize, const LEN: usize>(
    network: &'static Network<L, O>,
    first: c_int,
    x: Source<L::Scalar, IN>,
    f: Target<L::Scalar, OUT>,
    g: Target<[L::Scalar; COLS], OUT>,
    workspace: Scratch<L::Scalar, LEN>,
) -> c_int
where
    L: Layer<Input = Const<IN>, Output = Const<OUT>>,
    O: Order,
{
    let is_null = f.is_null() || g.is_null();
    let (Some(x), Some(workspace), false) = (x.read(), workspace.lend(), is_null) else {
        return Status::Null as c_int;
    };
    let Ok(first) = usize::try_from(first) else {
        return Status::Range as c_int;
    };
    let mut y = [L::Scalar::ZERO; OUT];
    let x = SVector::from(x);
    let found = network.columns_in_workspace::<COLS, LEN>(&x, first, &mut y, workspace);
    let Some(found) = found else {
        return Status::Range as c_int;
    };
    f.write(&y);
    g.write_rows(found);
    Status::Ok as c_int
}

/// The value of the network at `x`, to `f`, and the product of its Jacobian with `v`, to `t`. Never
/// panics.
#[inline(never)]
pub fn jvp<L, O, const IN: usize, const OUT: usize, const LEN: usize>(
    network: &'static Network<L, O>,
    x: Source<L::Scalar, IN>,
    v: Source<L::Scalar, IN>,
    f: Target<L::Scalar, OUT>,
    t: Target<L::Scalar, OUT>,
    workspace: Scratch<L::Scalar, LEN>,
) -> c_int
where
    L: Layer<Input = Const<IN>, Output = Const<OUT>>,
    O: Order,
{
    let is_null = f.is_null() || t.is_null();
    let given = (x.read(), v.read(), workspace.lend(), is_null);
    let (Some(x), Some(v), Some(workspace), false) = given else {
        return Status::Null as c_int;
    };
    let y = network.jvp(&SVector::from(x), &SVector::from(v), workspace);
    let ([value], [tangent]) = (&y.value.data.0, &y.tangent.data.0);
    f.write(value);
    t.write(tangent);
    Status::Ok as c_int
}

/// The value of the network at `x`, to `f`, and the product of `w` with its Jacobian, wᵀ·J, to `c`. Never
/// panics.
#[inline(never)]
pub fn vjp<L, O, const IN: usize, const OUT: usize, const LEN: usize>(
    network: &'static Network<L, O>,
    x: Source<L::Scalar, IN>,
    w: Source<L::Scalar, OUT>,
    f: Target<L::Scalar, OUT>,
    c: Target<L::Scalar, IN>,
    workspace: Scratch<L::Scalar, LEN>,
) -> c_int
where
    L: Layer<Input = Const<IN>, Output = Const<OUT>>,
    O: Order,
{
    let is_null = f.is_null() || c.is_null();
    let given = (x.read(), w.read(), workspace.lend(), is_null);
    let (Some(x), Some(w), Some(workspace), false) = given else {
        return Status::Null as c_int;
    };
    let y = network.vjp(&SVector::from(x), &SVector::from(w), workspace);
    let ([value], [cotangent]) = (&y.value.data.0, &y.cotangent.data.0);
    f.write(value);
    c.write(cotangent);
    Status::Ok as c_int
}

/// The first number that [`self_test`] found different, as C has it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub struct Mismatch<T> {
    /// Which record, from 0.
    pub record: c_int,
    /// Output i.
    pub output: c_int,
    /// Input j, for ∂ output i / ∂ input j; -1 for the value of output i.
    pub input: c_int,
    /// The number in the record.
    pub expected: T,
    /// The number computed.
    pub found: T,
}

/// Evaluates the network at the input of every record and compares value and Jacobian with it, bit by
/// bit. The first number with other bits goes to `mismatch`, whose pointer may be null; where there is
/// none, nothing is written there. Never panics.
#[inline(never)]
pub fn self_test<L, O, const IN: usize, const OUT: usize, const LEN: usize>(
    network: &'static Network<L, O>,
    records: &[Record<L::Scalar, IN, OUT>],
    mismatch: Target<Mismatch<L::Scalar>, 1>,
    workspace: Scratch<L::Scalar, LEN>,
) -> c_int
where
    L: Layer<Input = Const<IN>, Output = Const<OUT>>,
    O: Order,
{
    let Some(workspace) = workspace.lend() else {
        return Status::Null as c_int;
    };
    for (number, record) in records.iter().enumerate() {
        let mut y = [L::Scalar::ZERO; OUT];
        let columns = pass(network, &SVector::from(record.input), &mut y, workspace);
        if let Err(found) = record.compare(number, &y, columns) {
            mismatch.write(&[Mismatch {
                record: found.record as c_int,
                output: found.output as c_int,
                input: found.input.map_or(-1, |input| input as c_int),
                expected: found.expected,
                found: found.found,
            }]);
            return Status::Mismatch as c_int;
        }
    }
    Status::Ok as c_int
}

/// What a status means, a text that ends in zero; of a number that is none, so much. Never panics.
pub fn status_text(status: c_int) -> *const c_char {
    let known = usize::try_from(status).ok();
    let known = known.and_then(|status| Status::ALL.get(status));
    let text: &CStr = known.map_or(c"no status of this library", |(_, _, text)| text);
    text.as_ptr()
}

/// As [`evaluate_col`], in the form in which ISAT calls a user's function: sizes and flags are given by
/// pointers, and the sizes are compared with those of the network, `nx` with its inputs and `nf` with its
/// outputs. Where one differs, [`Status::Sizes`] is returned and nothing is written. Never panics.
pub fn isat<L, O, const IN: usize, const OUT: usize, const LEN: usize>(
    network: &'static Network<L, O>,
    need: Source<c_int, 2>,
    nx: Source<c_int, 1>,
    x: Source<f64, IN>,
    nf: Source<c_int, 1>,
    f: Target<f64, OUT>,
    g: Target<[f64; OUT], IN>,
    workspace: Scratch<f64, LEN>,
) -> c_int
where
    L: Layer<Scalar = f64, Input = Const<IN>, Output = Const<OUT>>,
    O: Order,
{
    let (Some([nx]), Some([nf])) = (nx.read(), nf.read()) else {
        return Status::Null as c_int;
    };
    if (usize::try_from(nx), usize::try_from(nf)) != (Ok(IN), Ok(OUT)) {
        return Status::Sizes as c_int;
    }
    evaluate_col(network, need, x, f, g, workspace)
}

#[cfg(test)]
mod tests {
    use core::ptr;

    use fnn_core::{Chain, Dense, Identity, Tanh, chain};

    use super::*;

    type Net = Network<Chain![Dense<f64, 3, 4, Tanh>, Dense<f64, 4, 2, Identity>]>;

    static NET: Net = Network::new(chain![
        Dense::new(
            [
                [0.5, -0.25, 1.0],
                [0.75, 0.5, -1.0],
                [-0.5, 0.125, 0.25],
                [0.0, 1.0, 0.5]
            ],
            [0.25, -0.5, 0.0, 1.0],
            Tanh
        ),
        Dense::new(
            [[1.0, -0.5, 0.25, 2.0], [0.5, 1.5, -1.0, 0.0]],
            [0.5, -0.25],
            Identity
        ),
    ]);

    const LEN: usize = Net::WORKSPACE + Net::VJP_WORKSPACE;
    const X: [f64; 3] = [0.5, -0.25, 0.75];
    /// What no function writes.
    const UNTOUCHED: f64 = -7.5;

    static SHARED: Shared<f64, LEN> = Shared::new();

    /// What C holds: arguments and results.
    struct C {
        need: [c_int; 2],
        x: [f64; 3],
        f: [f64; 2],
        g: [[f64; 3]; 2],
        col: [[f64; 2]; 3],
        workspace: Workspace<f64, LEN>,
    }

    impl C {
        fn new(need: [c_int; 2]) -> Self {
            Self {
                need,
                x: X,
                f: [UNTOUCHED; 2],
                g: [[UNTOUCHED; 3]; 2],
                col: [[UNTOUCHED; 2]; 3],
                workspace: Workspace::new(),
            }
        }

        fn need(&self) -> Source<c_int, 2> {
            Source(&self.need)
        }

        fn x(&self) -> Source<f64, 3> {
            Source(&self.x)
        }

        fn f(&mut self) -> Target<f64, 2> {
            Target(&mut self.f)
        }

        fn g(&mut self) -> Target<[f64; 3], 2> {
            Target(&mut self.g)
        }

        fn scratch(&mut self) -> Scratch<f64, LEN> {
            Scratch(&mut self.workspace)
        }
    }

    fn expected() -> ([f64; 2], [[f64; 3]; 2]) {
        let y = NET.evaluate(&SVector::from(X), &mut Workspace::<f64, LEN>::new());
        let g = core::array::from_fn(|i| core::array::from_fn(|j| y.jacobian[(i, j)]));
        (y.value.data.0[0], g)
    }

    const OK: c_int = Status::Ok as c_int;
    const NULL: c_int = Status::Null as c_int;

    #[test]
    fn what_is_needed_is_written_and_nothing_else() {
        let (f, g) = expected();
        for need in [[0, 0], [1, 0], [0, 1], [1, 1], [-3, 7]] {
            let mut c = C::new(need);
            let run = |c: &mut C| {
                let (f, g, scratch) = (c.f(), c.g(), c.scratch());
                evaluate(&NET, c.need(), c.x(), f, g, scratch)
            };
            assert_eq!(run(&mut c), OK);
            assert_eq!(c.f, if need[0] != 0 { f } else { [UNTOUCHED; 2] });
            assert_eq!(c.g, if need[1] != 0 { g } else { [[UNTOUCHED; 3]; 2] });
            assert_eq!((c.need, c.x), (need, X));

            let col = Target(&mut c.col);
            c.f = [UNTOUCHED; 2];
            let (f_pointer, scratch) = (c.f(), SHARED.scratch());
            assert_eq!(
                evaluate_col(&NET, c.need(), c.x(), f_pointer, col, scratch),
                OK
            );
            assert_eq!(c.f, if need[0] != 0 { f } else { [UNTOUCHED; 2] });
            for (j, column) in c.col.iter().enumerate() {
                for (i, &found) in column.iter().enumerate() {
                    assert_eq!(found, if need[1] != 0 { g[i][j] } else { UNTOUCHED });
                }
            }
        }
    }

    #[test]
    fn a_null_pointer_for_what_is_needed_is_a_status_and_nothing_is_written() {
        for (need, x, f, g, workspace, status) in [
            ([1, 1], false, true, true, true, NULL),
            ([1, 1], true, false, true, true, NULL),
            ([1, 1], true, true, false, true, NULL),
            ([1, 1], true, true, true, false, NULL),
            ([1, 0], true, true, true, false, NULL),
            ([1, 0], true, false, true, true, NULL),
            ([0, 1], true, true, false, true, NULL),
            ([1, 0], true, true, false, true, OK),
            ([0, 1], true, false, true, true, OK),
            ([0, 0], false, false, false, false, OK),
        ] {
            let mut c = C::new(need);
            let x = if x { c.x() } else { Source(ptr::null()) };
            let f = if f { c.f() } else { Target(ptr::null_mut()) };
            let g = if g { c.g() } else { Target(ptr::null_mut()) };
            let workspace = if workspace {
                c.scratch()
            } else {
                Scratch(ptr::null_mut())
            };
            assert_eq!(evaluate(&NET, c.need(), x, f, g, workspace), status);
            if status == NULL {
                assert_eq!((c.f, c.g), ([UNTOUCHED; 2], [[UNTOUCHED; 3]; 2]));
            }
        }
        let mut c = C::new([1, 1]);
        let (f, g, scratch) = (c.f(), c.g(), c.scratch());
        let need = Source(ptr::null());
        assert_eq!(evaluate(&NET, need, c.x(), f, g, scratch), NULL);
    }

    #[test]
    fn the_input_may_be_where_the_value_goes() {
        let (f, _) = expected();
        let mut c = C::new([1, 0]);
        let place = &raw mut c.x;
        let (g, scratch) = (c.g(), c.scratch());
        let status = evaluate(
            &NET,
            c.need(),
            Source(place),
            Target(place.cast()),
            g,
            scratch,
        );
        assert_eq!((status, c.x), (OK, [f[0], f[1], X[2]]));
    }

    #[test]
    fn products_and_columns_are_those_of_the_network() {
        let mut workspace = Workspace::<f64, LEN>::new();
        let (v, w) = ([1.0, -2.0, 0.5], [0.25, 3.0]);
        let x = SVector::from(X);
        let (mut f, mut t, mut c) = ([0.0; 2], [0.0; 2], [0.0; 3]);

        let wanted = NET.jvp(&x, &SVector::from(v), &mut workspace);
        let (f_to, t_to) = (Target(&mut f), Target(&mut t));
        assert_eq!(
            jvp(&NET, Source(&X), Source(&v), f_to, t_to, SHARED.scratch()),
            OK
        );
        assert_eq!((f, t), (wanted.value.data.0[0], wanted.tangent.data.0[0]));

        let wanted = NET.vjp(&x, &SVector::from(w), &mut workspace);
        f = [0.0; 2];
        let (f_to, c_to) = (Target(&mut f), Target(&mut c));
        assert_eq!(
            vjp(&NET, Source(&X), Source(&w), f_to, c_to, SHARED.scratch()),
            OK
        );
        assert_eq!((f, c), (wanted.value.data.0[0], wanted.cotangent.data.0[0]));

        f = [0.0; 2];
        assert_eq!(
            value(&NET, Source(&X), Target(&mut f), SHARED.scratch()),
            OK
        );
        assert_eq!(f, wanted.value.data.0[0]);

        let wanted = NET.columns::<1, 2, _>(&x, &mut workspace);
        for (first, status) in [(1, OK), (2, 2), (-1, 2), (c_int::MAX, 2)] {
            let (mut f, mut g) = ([UNTOUCHED; 2], [[UNTOUCHED; 2]; 2]);
            let (f_to, g_to) = (Target(&mut f), Target(&mut g));
            let found = columns(&NET, first, Source(&X), f_to, g_to, SHARED.scratch());
            assert_eq!(found, status);
            if status != OK {
                assert_eq!((f, g), ([UNTOUCHED; 2], [[UNTOUCHED; 2]; 2]));
                continue;
            }
            assert_eq!(f, wanted.value.data.0[0]);
            for (i, row) in g.iter().enumerate() {
                assert_eq!(*row, [wanted.jacobian[(i, 0)], wanted.jacobian[(i, 1)]]);
            }
        }
    }

    #[test]
    fn the_self_test_says_which_number_differs() {
        let (value, jacobian) = expected();
        let record = Record {
            input: X,
            value,
            jacobian,
        };
        let mut wrong = record;
        wrong.jacobian[1][2] += 1.0;
        let (right, wrong) = (&[record], &[record, wrong]);

        let none = Mismatch {
            record: 9,
            output: 9,
            input: 9,
            expected: 9.0,
            found: 9.0,
        };
        let mut found = [none];
        let status = self_test(&NET, right, Target(&mut found), SHARED.scratch());
        assert_eq!((status, found), (OK, [none]));
        let status = self_test(&NET, wrong, Target(&mut found), SHARED.scratch());
        let wanted = Mismatch {
            record: 1,
            output: 1,
            input: 2,
            expected: jacobian[1][2] + 1.0,
            found: jacobian[1][2],
        };
        assert_eq!((status, found), (Status::Mismatch as c_int, [wanted]));
        let null = Target(ptr::null_mut());
        assert_eq!(
            self_test(&NET, wrong, null, SHARED.scratch()),
            Status::Mismatch as c_int
        );
        let null = Target(ptr::null_mut());
        assert_eq!(
            self_test(&NET, right, null, Scratch::<f64, LEN>(ptr::null_mut())),
            NULL
        );
    }

    #[test]
    fn isat_is_held_to_the_sizes_of_the_network() {
        let (f, g) = expected();
        for (nx, nf, status) in [(3, 2, OK), (4, 2, 3), (3, 1, 3), (-3, 2, 3), (0, 0, 3)] {
            let mut c = C::new([1, 1]);
            let (f_to, scratch) = (c.f(), c.scratch());
            let g_to = Target(&mut c.col);
            let (nx, nf) = (Source(&[nx]), Source(&[nf]));
            assert_eq!(
                isat(&NET, c.need(), nx, c.x(), nf, f_to, g_to, scratch),
                status
            );
            let is_written = c.f == f && c.col[2][1] == g[1][2];
            assert_eq!(is_written, status == OK);
            assert_eq!(c.f == [UNTOUCHED; 2], status != OK);
        }
    }

    #[test]
    fn every_status_stands_at_its_number_and_has_a_text() {
        for (number, (status, _, text)) in (0..).zip(Status::ALL) {
            assert_eq!(status as c_int, number);
            // SAFETY: it points to a text that ends in zero.
            assert_eq!(unsafe { CStr::from_ptr(status_text(number)) }, text);
        }
        for number in [-1, 5, c_int::MIN, c_int::MAX] {
            // SAFETY: as above.
            let text = unsafe { CStr::from_ptr(status_text(number)) };
            assert_eq!(text, c"no status of this library");
        }
    }
}
