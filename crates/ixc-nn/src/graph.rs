//! Values of a forward pass, and the way a gradient takes back through them.
//!
//! A [`Value`] is a tensor that may remember how it was made. A plain one remembers nothing: layers then
//! change and recycle memory, and that is inference. What is made of a recorded one is recorded: it keeps
//! what its step back needs, and nothing else. [`Value::backward`] takes the steps, the last made first; a
//! step is dropped once it is taken, a first gradient is moved, a later one added in place, and trained
//! weights add to their own gradients ([`crate::trained`]), so a frozen one costs nothing.
//! What a recorded pass makes gives its memory to the next one ([`Recording`]).
//! candle's own graph has three arguments a step at most, begins each gradient as zeros, makes one for
//! every weight and keeps all until the end; [`compose`] still goes through it where a step is made of
//! candle's operations. Deliberately absent: second derivatives.

mod record;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use candle_core::{Tensor, Var};
use ixc_kernels::elementwise;

use crate::{
    Error,
    device::has_kernels,
    numbers::{self, change_by},
};

pub use record::{Recording, record};

/// A tensor, and where it comes from when a gradient may be asked for.
#[derive(Clone, Debug)]
pub struct Value {
    tensor: Tensor,
    node: Option<Arc<Node>>,
}

/// A place of the pass.
#[derive(Debug)]
struct Node {
    /// Rises along the pass: what a value is made of has a smaller number.
    id: u64,
    origin: Origin,
}

enum Origin {
    /// Given; its gradient is of no use.
    Constant,
    /// Given; its gradient is asked for.
    Input,
    /// Made by a step, until that is taken back.
    Made(Mutex<Option<Step>>),
}

/// How to take a step back.
struct Step {
    inputs: Vec<Option<Arc<Node>>>,
    back: Back,
}

type Back = Box<dyn FnOnce(Gradient) -> Result<Vec<Option<Gradient>>, Error> + Send>;

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Constant => "Constant",
            Self::Input => "Input",
            Self::Made(_) => "Made",
        })
    }
}

impl Node {
    fn new(origin: Origin) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self { id: NEXT.fetch_add(1, Ordering::Relaxed), origin })
    }

    fn is_wanted(&self) -> bool {
        !matches!(self.origin, Origin::Constant)
    }
}

impl From<Tensor> for Value {
    fn from(tensor: Tensor) -> Self {
        Self::plain(tensor)
    }
}

impl Value {
    /// A value that remembers nothing, and so does what is made of it.
    pub fn plain(tensor: Tensor) -> Self {
        Self { tensor, node: None }
    }

    /// A value of a pass that is recorded, whose own gradient is of no use.
    pub fn constant(tensor: Tensor) -> Self {
        Self { tensor, node: Some(Node::new(Origin::Constant)) }
    }

    /// A value of a pass that is recorded, whose gradient [`Value::backward`] finds.
    pub fn input(tensor: Tensor) -> Self {
        Self { tensor, node: Some(Node::new(Origin::Input)) }
    }

    /// `constant` in a recorded pass, else plain.
    pub fn given(tensor: Tensor, recorded: bool) -> Self {
        if recorded { Self::constant(tensor) } else { Self::plain(tensor) }
    }

    /// This value; a plain one becomes a constant in a recorded pass.
    pub fn given_in(self, recorded: bool) -> Self {
        if self.is_recorded() { self } else { Self::given(self.tensor, recorded) }
    }

    /// The result of a step over `inputs`. `back` gets the result's gradient and gives one for each of
    /// them, or none; those of inputs whose gradient is not wanted are dropped. The step is recorded where
    /// it leads to one that is, or to a weight that is `trained` in it.
    pub(crate) fn made(
        tensor: Tensor,
        inputs: &[&Self],
        trained: bool,
        back: impl FnOnce(Gradient) -> Result<Vec<Option<Gradient>>, Error> + Send + 'static,
    ) -> Self {
        let made = Self::seen(tensor, inputs, trained, back);
        if let Some(node) = &made.node {
            record::remember(node.id, &made.tensor);
        }
        made
    }

    /// As [`Value::made`], of a tensor that may share its numbers with the inputs.
    pub(crate) fn seen(
        tensor: Tensor,
        inputs: &[&Self],
        trained: bool,
        back: impl FnOnce(Gradient) -> Result<Vec<Option<Gradient>>, Error> + Send + 'static,
    ) -> Self {
        if !inputs.iter().any(|input| input.is_recorded()) {
            return Self::plain(tensor);
        }
        if !trained && !inputs.iter().any(|input| input.wants_gradient()) {
            return Self::constant(tensor);
        }
        let inputs = inputs.iter().map(|input| input.node.clone()).collect();
        Self::step(tensor, Step { inputs, back: Box::new(back) })
    }

    /// The result of a step over a trained weight alone, which `back` gives its gradient.
    pub(crate) fn grown(
        tensor: Tensor,
        back: impl FnOnce(Gradient) -> Result<(), Error> + Send + 'static,
    ) -> Self {
        let back = |gradient| back(gradient).map(|()| Vec::new());
        Self::step(tensor, Step { inputs: Vec::new(), back: Box::new(back) })
    }

    fn step(tensor: Tensor, step: Step) -> Self {
        Self { tensor, node: Some(Node::new(Origin::Made(Mutex::new(Some(step))))) }
    }

    /// The numbers.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// The numbers alone.
    pub fn into_tensor(self) -> Tensor {
        self.tensor
    }

    /// Whether what is made of it is remembered. If not, its numbers may be changed or recycled by their
    /// only owner.
    pub fn is_recorded(&self) -> bool {
        self.node.is_some()
    }

    /// Whether a step back has to find its gradient.
    pub fn wants_gradient(&self) -> bool {
        self.node.as_ref().is_some_and(|node| node.is_wanted())
    }

    /// Whether kernels of our own can work on it.
    pub(crate) fn has_kernels(&self) -> bool {
        has_kernels(&self.tensor)
    }

    /// The same numbers in another shape.
    ///
    /// # Errors
    /// When there are not as many in it.
    pub fn reshape(&self, dims: &[usize]) -> Result<Self, Error> {
        let before = self.tensor.dims().to_vec();
        let out = self.tensor.reshape(dims)?;
        Ok(Self::seen(out, &[self], false, move |gradient| {
            // Numbers that somebody else holds too are not to be added to.
            let own = match gradient.own() {
                Ok(own) => own,
                Err(shared) => shared.force_contiguous()?,
            };
            Ok(vec![Some(own.reshape(before)?.into())])
        }))
    }

    /// Whether two values are the same one, with the same way back.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (&self.node, &other.node) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => self.tensor.id() == other.tensor.id(),
            _ => false,
        }
    }

    /// Gives its memory to the next tensor of the pass (see [`numbers::recycle`]), unless it is recorded.
    pub fn recycle(self) {
        if self.node.is_none() {
            numbers::recycle(self.tensor);
        }
    }

    /// Carries the gradient of this value back to all that it was made of: weights add to theirs, and the
    /// inputs' are returned. A pass goes back once.
    ///
    /// # Errors
    /// When a step's numbers do not fit, or a step was taken back before.
    pub fn backward(&self, gradient: &Tensor) -> Result<Gradients, Error> {
        // Somebody else holds it: it is neither added to nor recycled.
        let shared = Gradient::from(gradient.clone());
        let _held = shared.clone();
        self.back(shared)
    }

    /// As [`Value::backward`], with a gradient whose memory is used again.
    pub(crate) fn back(&self, gradient: Gradient) -> Result<Gradients, Error> {
        let mut due = Due::default();
        let mut found = Gradients::default();
        due.add(self.node.as_ref(), gradient)?;
        while let Some((id, (node, gradient))) = due.0.pop_last() {
            let Origin::Made(step) = &node.origin else {
                found.0.insert(id, gradient);
                continue;
            };
            let step = step.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some(Step { inputs, back }) = step else {
                return Err(candle_core::Error::Msg("a pass goes back once".into()).into());
            };
            for (input, gradient) in inputs.iter().zip(back(gradient)?) {
                if let Some(gradient) = gradient {
                    due.add(input.as_ref(), gradient)?;
                }
            }
            record::release(id);
        }
        Ok(found)
    }
}

/// The gradient of a value on its way back. Clones share its numbers.
#[derive(Clone, Debug)]
pub struct Gradient(Arc<Tensor>);

impl From<Tensor> for Gradient {
    /// The tensor's memory must be nobody else's: it may be added to, and recycled.
    fn from(tensor: Tensor) -> Self {
        Self(Arc::new(tensor))
    }
}

impl std::ops::Deref for Gradient {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        &self.0
    }
}

impl Gradient {
    /// Gives its memory to the next tensor of the pass, unless somebody else still holds it.
    pub(crate) fn recycle(self) {
        if let Ok(tensor) = Arc::try_unwrap(self.0) {
            numbers::recycle(tensor);
        }
    }

    /// The numbers alone, when nobody else holds them.
    pub(crate) fn own(self) -> Result<Tensor, Self> {
        Arc::try_unwrap(self.0).map_err(Self)
    }

    fn plus(self, other: Self) -> Result<Self, Error> {
        if !has_kernels(&self) {
            return Ok((&*self.0 + &*other.0).map_err(Error::from)?.into());
        }
        let (own, shared) = match (self.own(), other) {
            (Ok(own), other) => (own, other),
            (Err(shared), other) => match other.own() {
                Ok(own) => (own, shared),
                Err(other) => return Ok((&*shared.0 + &*other.0).map_err(Error::from)?.into()),
            },
        };
        let sum = change_by(own, &shared, "sum of gradients", elementwise::add)?;
        shared.recycle();
        Ok(sum.into())
    }
}

/// The gradients of a pass's inputs.
#[derive(Debug, Default)]
pub struct Gradients(HashMap<u64, Gradient>);

impl Gradients {
    /// The gradient of one of the inputs; none where the result does not depend on it.
    pub fn take(&mut self, input: &Value) -> Option<Gradient> {
        self.0.remove(&input.node.as_ref()?.id)
    }
}

/// Gradients that wait for their step, by its number.
#[derive(Default)]
struct Due(BTreeMap<u64, (Arc<Node>, Gradient)>);

impl Due {
    fn add(&mut self, node: Option<&Arc<Node>>, gradient: Gradient) -> Result<(), Error> {
        let Some(node) = node.filter(|node| node.is_wanted()) else {
            gradient.recycle();
            return Ok(());
        };
        let gradient = match self.0.remove(&node.id) {
            Some((_, held)) => held.plus(gradient)?,
            None => gradient,
        };
        self.0.insert(node.id, (node.clone(), gradient));
        Ok(())
    }
}

/// A stretch of the pass that is kept as its input alone: `forward` runs as in inference, and again,
/// recorded, when its gradient is due. `learns` says whether trained weights take part in it.
///
/// # Errors
/// What `forward` says.
pub fn checkpoint(
    x: &Value,
    learns: bool,
    forward: impl Fn(&Value) -> Result<Value, Error> + Send + 'static,
) -> Result<Value, Error> {
    let out = forward(&Value::plain(x.tensor.clone()))?;
    let (kept, wanted) = (x.tensor.clone(), x.wants_gradient());
    Ok(Value::made(out.tensor, &[x], learns, move |gradient| {
        let x = if wanted { Value::input(kept) } else { Value::constant(kept) };
        let _made = record();
        let mut found = forward(&x)?.back(gradient)?;
        Ok(vec![found.take(&x)])
    }))
}

/// A step made of candle's operations, on any device: where no kernel of ours is, and as the plain twin of
/// those that are.
///
/// # Errors
/// What `forward` says.
pub fn compose<const N: usize>(
    inputs: [&Value; N],
    forward: impl FnOnce([Tensor; N]) -> Result<Tensor, Error>,
) -> Result<Value, Error> {
    if !inputs.iter().any(|input| input.wants_gradient()) {
        let out = forward(inputs.map(|input| input.tensor.clone()))?;
        return Ok(Value::given(out, inputs.iter().any(|input| input.is_recorded())));
    }
    let (arguments, out) = traced(inputs.map(|x| (x.tensor(), x.wants_gradient())), forward)?;
    Ok(Value::seen(out.detach(), &inputs, false, move |gradient| {
        let mut found = (&out * &*gradient)?.sum_all()?.backward()?;
        // candle's gradients remember how they were made, and so would all that is made of them.
        let plain = |gradient: Tensor| Gradient::from(gradient.detach());
        Ok(arguments.iter().map(|x| found.remove(x).map(plain)).collect())
    }))
}

/// Runs `forward` with candle remembering how; a gradient is found for the tensors marked so.
fn traced<const N: usize>(
    inputs: [(&Tensor, bool); N],
    forward: impl FnOnce([Tensor; N]) -> Result<Tensor, Error>,
) -> Result<([Tensor; N], Tensor), Error> {
    let mut arguments = inputs.map(|(x, _)| x.clone());
    for (argument, (x, wanted)) in arguments.iter_mut().zip(inputs) {
        if wanted {
            *argument = Var::from_tensor(x)?.into_inner();
        }
    }
    let out = forward(arguments.clone())?;
    Ok((arguments, out))
}
