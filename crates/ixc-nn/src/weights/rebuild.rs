//! What a state dict's pickle may build: containers, storages by name, tensors over them.
//!
//! The pickle machine hands each class, call and persistent id to this closed list; nothing outside it
//! exists here, so nothing outside it can be reached. Values refer to each other by position in one
//! [`Heap`], so a value is a few bytes, cycles are harmless, and nothing is dropped recursively.
//! Deliberately absent: the storages' bytes, which [`super::torch`] finds in the archive.

use super::StoredType;
use crate::limits::{MAX_AXES, MAX_PICKLE_OBJECTS};

/// The classes and functions that a state dict refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(StoredType),
}

impl Global {
    /// The allow-list, by PyTorch's names.
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("torch", storage) => Self::Storage(match storage {
                "DoubleStorage" => StoredType::F64,
                "FloatStorage" => StoredType::F32,
                "HalfStorage" => StoredType::F16,
                "BFloat16Storage" => StoredType::Bf16,
                "LongStorage" => StoredType::I64,
                "IntStorage" => StoredType::I32,
                "ShortStorage" => StoredType::I16,
                "CharStorage" => StoredType::I8,
                "ByteStorage" => StoredType::U8,
                "BoolStorage" => StoredType::Bool,
                _ => return None,
            }),
            _ => return None,
        })
    }
}

/// Anything on the machine's stack. Text borrows from the pickle; the rest is a place in the [`Heap`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    None,
    Bool,
    Number(i64),
    Float,
    Text(&'a str),
    Tuple(usize),
    List(usize),
    Dict(usize),
    Global(Global),
    Storage(usize),
    Tensor(usize),
}

/// Numbers in an entry of the archive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storage<'a> {
    pub(super) dtype: StoredType,
    /// The entry's name below `data/`.
    pub(super) key: &'a str,
    /// How many numbers.
    pub(super) count: usize,
}

/// A view of a storage, not yet known to lie within it.
#[derive(Clone, Debug)]
pub(super) struct View<'a> {
    pub(super) storage: Storage<'a>,
    /// In numbers, as `shape` and `strides`.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// Everything that values refer to.
#[derive(Debug, Default)]
pub(super) struct Heap<'a> {
    pub(super) tuples: Vec<Vec<Value<'a>>>,
    pub(super) lists: Vec<Vec<Value<'a>>>,
    pub(super) dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    pub(super) storages: Vec<Storage<'a>>,
    pub(super) tensors: Vec<View<'a>>,
    objects: usize,
}

/// What is wrong with a value; the machine adds where.
type Result<T> = std::result::Result<T, &'static str>;

impl<'a> Heap<'a> {
    /// Counts an object to be made.
    pub(super) fn count(&mut self) -> Result<()> {
        self.objects += 1;
        if self.objects > MAX_PICKLE_OBJECTS { Err("too many objects") } else { Ok(()) }
    }

    pub(super) fn tuple(&mut self, items: Vec<Value<'a>>) -> Result<Value<'a>> {
        self.count()?;
        self.tuples.push(items);
        Ok(Value::Tuple(self.tuples.len() - 1))
    }

    pub(super) fn list(&mut self) -> Result<Value<'a>> {
        self.count()?;
        self.lists.push(Vec::new());
        Ok(Value::List(self.lists.len() - 1))
    }

    pub(super) fn dict(&mut self) -> Result<Value<'a>> {
        self.count()?;
        self.dicts.push(Vec::new());
        Ok(Value::Dict(self.dicts.len() - 1))
    }

    /// What a persistent id stands for: `('storage', class, key, location, count)`.
    pub(super) fn persistent(&mut self, id: Value<'a>) -> Result<Value<'a>> {
        let Value::Tuple(id) = id else { return Err("a persistent id that is not a tuple") };
        let &[
            Value::Text("storage"),
            class,
            Value::Text(key),
            Value::Text(_),
            Value::Number(count),
        ] = self.tuples[id].as_slice()
        else {
            return Err("a persistent id that is not a storage");
        };
        let Value::Global(Global::Storage(dtype)) = class else {
            return Err("a storage whose class is not one of numbers");
        };
        let count = usize::try_from(count).map_err(|_| "a storage of negative length")?;
        self.count()?;
        self.storages.push(Storage { dtype, key, count });
        Ok(Value::Storage(self.storages.len() - 1))
    }

    /// What calling `function` with the tuple `arguments` gives.
    pub(super) fn call(&mut self, function: Value<'a>, arguments: Value<'a>) -> Result<Value<'a>> {
        let Value::Global(function) = function else {
            return Err("a call of something that is no function");
        };
        let Value::Tuple(arguments) = arguments else {
            return Err("a call without a tuple of arguments");
        };
        let arguments = self.tuples[arguments].as_slice();
        match (function, arguments) {
            (Global::OrderedDict, []) => self.dict(),
            (
                Global::RebuildParameter,
                &[tensor @ Value::Tensor(_), Value::Bool, Value::Dict(_)],
            ) => Ok(tensor),
            // The two last: whether it wants a gradient, and its hooks. A seventh holds flags of views
            // (conjugated, negated), which weights never are.
            (
                Global::RebuildTensor,
                &[
                    Value::Storage(storage),
                    Value::Number(offset),
                    Value::Tuple(shape),
                    Value::Tuple(strides),
                    Value::Bool,
                    Value::Dict(_) | Value::None,
                ],
            ) => self.tensor(storage, offset, shape, strides),
            (Global::RebuildTensor, _) => Err("a tensor with other arguments than a plain one has"),
            _ => Err("a call with other arguments than a state dict makes"),
        }
    }

    fn tensor(
        &mut self,
        storage: usize,
        offset: i64,
        shape: usize,
        strides: usize,
    ) -> Result<Value<'a>> {
        let storage = self.storages[storage];
        let offset = usize::try_from(offset).map_err(|_| "a tensor with a negative offset")?;
        let (shape, strides) = (self.extents(shape)?, self.extents(strides)?);
        if shape.len() != strides.len() {
            return Err("a tensor with more or fewer strides than axes");
        }
        self.count()?;
        self.tensors.push(View { storage, offset, shape, strides });
        Ok(Value::Tensor(self.tensors.len() - 1))
    }

    /// A tuple of whole numbers, as many as a tensor may have axes.
    fn extents(&self, tuple: usize) -> Result<Vec<usize>> {
        let items = &self.tuples[tuple];
        if items.len() > MAX_AXES {
            return Err("a tensor with too many axes");
        }
        let extent = |item: &Value<'_>| match *item {
            Value::Number(extent) => {
                usize::try_from(extent).map_err(|_| "a tensor with a negative extent")
            }
            _ => Err("a tensor with an extent that is not a number"),
        };
        items.iter().map(extent).collect()
    }
}
