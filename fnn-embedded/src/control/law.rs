//! What a control loop asks of its user: the inputs of the network, the call, and the command.

use core::marker::PhantomData;

use fnn_core::{Evaluation, Jvp, SVector, Scalar, Vjp};

/// A control law around a network.
///
/// `M` measurements and the `U` numbers of the last command make the `IN` inputs of the network; what a
/// call of the network gives, `OUT` outputs and perhaps derivatives, makes the next command. A wrong number
/// of any of them does not compile.
///
/// [`law`] makes one of three closures; a type of its own keeps a state, as an observer does, and may
/// have a fallback.
pub trait Law<T: Scalar, const M: usize, const IN: usize, const OUT: usize, const U: usize> {
    /// What the call of the network gives: the value, an [`Evaluation`] with the Jacobian, or what
    /// [`columns`](fnn_core::Network::columns), [`jvp`](fnn_core::Network::jvp) and
    /// [`vjp`](fnn_core::Network::vjp) return.
    type Evaluated: Evaluated<T, OUT>;

    /// The inputs of the network, in its units, from the measurements and the last command that was
    /// applied.
    fn input(&mut self, measured: &[T; M], last: &[T; U]) -> SVector<T, IN>;

    /// The call of the network. It is not made where the step has a fault that keeps the law from
    /// commanding, such as an input that is outside of its range.
    fn evaluate(&mut self, x: &SVector<T, IN>) -> Self::Evaluated;

    /// The command, in the units of the actuators. Limits are applied afterwards.
    fn command(&mut self, x: &SVector<T, IN>, y: &Self::Evaluated) -> [T; U];

    /// The command for [`Policy::Fallback`](super::Policy::Fallback), without the network; no measurements
    /// where the sensor gave none or one that is not finite. `None` is the safe output.
    fn fallback(&mut self, measured: Option<&[T; M]>, last: &[T; U]) -> Option<[T; U]> {
        let _ = (measured, last);
        None
    }
}

/// What a call of a network returns, as the loop looks at it.
pub trait Evaluated<T, const OUT: usize> {
    /// Whether the derivatives are columns of the Jacobian.
    const IS_JACOBIAN: bool;

    /// The outputs.
    fn value(&self) -> &[T; OUT];

    /// All derivatives, column by column; empty where there are none.
    fn derivatives(&self) -> &[T];
}

impl<T: Scalar, const OUT: usize> Evaluated<T, OUT> for SVector<T, OUT> {
    const IS_JACOBIAN: bool = false;

    #[inline]
    fn value(&self) -> &[T; OUT] {
        first_column(&self.data.0)
    }

    #[inline]
    fn derivatives(&self) -> &[T] {
        &[]
    }
}

impl<T: Scalar, const COLS: usize, const OUT: usize> Evaluated<T, OUT>
    for Evaluation<T, COLS, OUT>
{
    const IS_JACOBIAN: bool = true;

    #[inline]
    fn value(&self) -> &[T; OUT] {
        first_column(&self.value.data.0)
    }

    #[inline]
    fn derivatives(&self) -> &[T] {
        self.jacobian.as_slice()
    }
}

impl<T: Scalar, const OUT: usize> Evaluated<T, OUT> for Jvp<T, OUT> {
    const IS_JACOBIAN: bool = false;

    #[inline]
    fn value(&self) -> &[T; OUT] {
        first_column(&self.value.data.0)
    }

    #[inline]
    fn derivatives(&self) -> &[T] {
        self.tangent.as_slice()
    }
}

impl<T: Scalar, const IN: usize, const OUT: usize> Evaluated<T, OUT> for Vjp<T, IN, OUT> {
    const IS_JACOBIAN: bool = false;

    #[inline]
    fn value(&self) -> &[T; OUT] {
        first_column(&self.value.data.0)
    }

    #[inline]
    fn derivatives(&self) -> &[T] {
        self.cotangent.as_slice()
    }
}

/// The only column of a vector.
#[inline]
fn first_column<T, const N: usize>([column]: &[[T; N]; 1]) -> &[T; N] {
    column
}

/// A [`Law`] of three closures: [`Law::input`], [`Law::evaluate`], [`Law::command`].
#[derive(Debug, Clone, Copy)]
pub struct Closures<I, E, C, Y> {
    input: I,
    evaluate: E,
    command: C,
    returned: PhantomData<fn() -> Y>,
}

/// A law of three closures, for the inputs, the call of the network and the command. Never panics.
///
/// ```
/// use fnn_embedded::law;
/// use fnn_core::{Chain, Dense, Evaluation, Identity, Network, SVector, Tanh, Workspace, chain};
///
/// type Pendulum = Network<Chain![Dense<f32, 2, 3, Tanh>, Dense<f32, 3, 1, Identity>]>;
/// static PENDULUM: Pendulum = Network::new(chain![
///     Dense::new([[0.5, -0.2], [1.0, 0.3], [-0.7, 0.8]], [0.1, 0.0, -0.1], Tanh),
///     Dense::new([[1.0, -2.0, 0.5]], [0.25], Identity),
/// ]);
/// let mut workspace = Workspace::<f32, { Pendulum::WORKSPACE }>::new();
///
/// // One measurement and the last command are the inputs; a Newton step to the output 1 is the command.
/// let law = law(
///     |measured: &[f32; 1], last: &[f32; 1]| SVector::from([measured[0], last[0]]),
///     |x: &SVector<f32, 2>| PENDULUM.evaluate(x, &mut workspace),
///     |x: &SVector<f32, 2>, y: &Evaluation<f32, 2, 1>| [x[1] + (1.0 - y.value[0]) / y.jacobian[(0, 1)]],
/// );
/// # fn takes(_: impl fnn_embedded::Law<f32, 1, 2, 1, 1>) {}
/// # takes(law);
/// ```
pub const fn law<T, I, E, C, Y, const M: usize, const IN: usize, const OUT: usize, const U: usize>(
    input: I,
    evaluate: E,
    command: C,
) -> Closures<I, E, C, Y>
where
    T: Scalar,
    I: FnMut(&[T; M], &[T; U]) -> SVector<T, IN>,
    E: FnMut(&SVector<T, IN>) -> Y,
    C: FnMut(&SVector<T, IN>, &Y) -> [T; U],
    Y: Evaluated<T, OUT>,
{
    Closures {
        input,
        evaluate,
        command,
        returned: PhantomData,
    }
}

impl<T, I, E, C, Y, const M: usize, const IN: usize, const OUT: usize, const U: usize>
    Law<T, M, IN, OUT, U> for Closures<I, E, C, Y>
where
    T: Scalar,
    I: FnMut(&[T; M], &[T; U]) -> SVector<T, IN>,
    E: FnMut(&SVector<T, IN>) -> Y,
    C: FnMut(&SVector<T, IN>, &Y) -> [T; U],
    Y: Evaluated<T, OUT>,
{
    type Evaluated = Y;

    #[inline]
    fn input(&mut self, measured: &[T; M], last: &[T; U]) -> SVector<T, IN> {
        (self.input)(measured, last)
    }

    #[inline]
    fn evaluate(&mut self, x: &SVector<T, IN>) -> Y {
        (self.evaluate)(x)
    }

    #[inline]
    fn command(&mut self, x: &SVector<T, IN>, y: &Y) -> [T; U] {
        (self.command)(x, y)
    }
}
