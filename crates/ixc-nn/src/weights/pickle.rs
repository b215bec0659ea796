//! Pickle as data: the opcodes that `torch.save` writes for a state dict, and no others.
//!
//! A pickle is a program for a small stack machine; Python's machine can import and call anything. This
//! one knows only the values of [`super::rebuild`]: it executes nothing, imports nothing, and refuses
//! the file at the first opcode or name that tensors do not need, saying which and where. Work is linear
//! in the file's length, and stack and objects are limited. Deliberately absent: protocols other than 2,
//! which is the one `torch.save` writes.

use std::collections::HashMap;

use thiserror::Error;

use super::rebuild::{Global, Heap, Value};
use crate::limits::{MAX_IDENTIFIER_BYTES, MAX_PICKLE_BYTES, MAX_PICKLE_STACK};

/// What can be wrong with a pickle. Offsets count bytes of the archive's `data.pkl`.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the message says what each field is")]
pub enum PickleFault {
    #[error("its pickle has {bytes} bytes, the limit is {MAX_PICKLE_BYTES}")]
    TooLong { bytes: usize },
    #[error("its pickle ends at byte {offset} in the middle of a value; download it again")]
    Ended { offset: usize },
    #[error(
        "its pickle is of protocol {found}, torch.save writes 2; save it again with torch.save's default"
    )]
    Protocol { found: u8 },
    #[error(
        "this file wants to run code: {module:?}.{name:?} at byte {offset} of its pickle is no part of a tensor. \
         Nothing was executed. Do not open it with other programs; ask for safetensors instead"
    )]
    Global { module: String, name: String, offset: usize },
    #[error(
        "opcode {name} ({opcode:#04x}) at byte {offset} of its pickle is not one that tensors need; \
         it may want to run code. Nothing was executed; ask for safetensors instead"
    )]
    Opcode { opcode: u8, name: &'static str, offset: usize },
    #[error(
        "byte {offset} of its pickle makes {what}; expected only what a state dict of tensors needs"
    )]
    Malformed { what: &'static str, offset: usize },
}

/// Runs the pickle and returns the value it leaves, with everything that it refers to.
pub(super) fn parse(bytes: &[u8]) -> Result<(Heap<'_>, Value<'_>), PickleFault> {
    if bytes.len() > MAX_PICKLE_BYTES {
        return Err(PickleFault::TooLong { bytes: bytes.len() });
    }
    let mut machine = Machine {
        bytes,
        at: 0,
        start: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        heap: Heap::default(),
    };
    while !machine.step()? {}
    if machine.at != bytes.len() {
        return machine.malformed("bytes after its end");
    }
    match machine.stack.as_slice() {
        &[value] if machine.marks.is_empty() => Ok((machine.heap, value)),
        _ => machine.malformed("not exactly one value"),
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    /// The next byte to read.
    at: usize,
    /// Where the present opcode is.
    start: usize,
    stack: Vec<Value<'a>>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    heap: Heap<'a>,
}

type Result<T, E = PickleFault> = std::result::Result<T, E>;

impl<'a> Machine<'a> {
    /// Executes one opcode; true when it was the last.
    fn step(&mut self) -> Result<bool> {
        self.start = self.at;
        let opcode = self.u8()?;
        match opcode {
            b'.' => return Ok(true),
            0x80 => match self.u8()? {
                2 => {}
                found => return Err(PickleFault::Protocol { found }),
            },
            b'(' => self.mark()?,
            b'N' => self.push(Value::None)?,
            0x88 | 0x89 => self.push(Value::Bool)?,
            b'J' | b'K' | b'M' | 0x8a => {
                let number = self.number(opcode)?;
                self.push(Value::Number(number))?;
            }
            b'G' => {
                self.take(8)?;
                self.push(Value::Float)?;
            }
            b'X' | b'U' => {
                let length = if opcode == b'X' { self.u32()? as usize } else { self.u8()?.into() };
                let text = self.text(length)?;
                self.push(Value::Text(text))?;
            }
            b'c' => self.global()?,
            b'Q' => self.replace_top(Heap::persistent)?,
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            b'q' | b'r' => {
                let index = if opcode == b'q' { self.u8()?.into() } else { self.u32()? };
                self.remember(index)?;
            }
            b'h' | b'j' => {
                let index = if opcode == b'h' { self.u8()?.into() } else { self.u32()? };
                let Some(&value) = self.memo.get(&index) else {
                    return self.malformed("use of a value that it never remembered");
                };
                self.push(value)?;
            }
            b')' | b't' | 0x85..=0x87 => self.tuple(opcode)?,
            b']' => self.container(Heap::list)?,
            b'}' => self.container(Heap::dict)?,
            b'a' | b'e' => self.append(opcode == b'e')?,
            b's' | b'u' => self.set_items(opcode == b'u')?,
            _ => {
                return Err(PickleFault::Opcode { opcode, name: name(opcode), offset: self.start });
            }
        }
        Ok(false)
    }

    fn malformed<T>(&self, what: &'static str) -> Result<T> {
        Err(PickleFault::Malformed { what, offset: self.start })
    }

    fn placed<T>(&self, result: std::result::Result<T, &'static str>) -> Result<T> {
        result.or_else(|what| self.malformed(what))
    }

    // Bytes.

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let bytes = self.bytes;
        let end = self.at.checked_add(count).filter(|&end| end <= bytes.len());
        let end = end.ok_or(PickleFault::Ended { offset: bytes.len() })?;
        let taken = &bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().expect("four bytes were taken")))
    }

    /// BININT, BININT1, BININT2 or LONG1.
    fn number(&mut self, opcode: u8) -> Result<i64> {
        let (length, signed) = match opcode {
            b'K' => (1, false),
            b'M' => (2, false),
            b'J' => (4, true),
            _ => (self.u8()?.into(), true),
        };
        if length > 8 {
            return self.malformed("a number of more than eight bytes");
        }
        let taken = self.take(length)?;
        let negative = signed && taken.last().is_some_and(|&top| top >= 0x80);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        wide[..length].copy_from_slice(taken);
        Ok(i64::from_le_bytes(wide))
    }

    fn text(&mut self, length: usize) -> Result<&'a str> {
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).or_else(|_| self.malformed("a string that is not UTF-8"))
    }

    /// Up to the next line end, which is taken too.
    fn line(&mut self) -> Result<&'a str> {
        let rest = &self.bytes[self.at..];
        match rest.iter().take(MAX_IDENTIFIER_BYTES + 1).position(|&byte| byte == b'\n') {
            Some(length) => {
                let text = self.text(length)?;
                self.take(1)?;
                Ok(text)
            }
            None if rest.len() <= MAX_IDENTIFIER_BYTES => {
                Err(PickleFault::Ended { offset: self.bytes.len() })
            }
            None => self.malformed("a reference to a name without end"),
        }
    }

    // The stack.

    fn push(&mut self, value: Value<'a>) -> Result<()> {
        if self.stack.len() + self.marks.len() >= MAX_PICKLE_STACK {
            return self.malformed("too deep a stack");
        }
        self.stack.push(value);
        Ok(())
    }

    fn mark(&mut self) -> Result<()> {
        if self.stack.len() + self.marks.len() >= MAX_PICKLE_STACK {
            return self.malformed("too deep a stack");
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// The lowest position that may be popped: values below a mark belong to what is being built.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Value<'a>> {
        if self.stack.len() <= self.floor() {
            return self.malformed("use of a value that is not there");
        }
        Ok(self.stack.pop().expect("the stack is above its floor"))
    }

    fn pop_last(&mut self, count: usize) -> Result<Vec<Value<'a>>> {
        match self.stack.len().checked_sub(count).filter(|&at| at >= self.floor()) {
            Some(at) => Ok(self.stack.split_off(at)),
            None => self.malformed("use of a value that is not there"),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>> {
        match self.marks.pop() {
            Some(at) => Ok(self.stack.split_off(at)),
            None => self.malformed("an end of something that never began"),
        }
    }

    fn top(&self) -> Result<Value<'a>> {
        match self.stack.last() {
            Some(&top) if self.stack.len() > self.floor() => Ok(top),
            _ => self.malformed("use of a value that is not there"),
        }
    }

    // What opcodes do.

    fn container(
        &mut self,
        make: fn(&mut Heap<'a>) -> Result<Value<'a>, &'static str>,
    ) -> Result<()> {
        let made = make(&mut self.heap);
        let made = self.placed(made)?;
        self.push(made)
    }

    fn replace_top(
        &mut self,
        make: fn(&mut Heap<'a>, Value<'a>) -> Result<Value<'a>, &'static str>,
    ) -> Result<()> {
        let top = self.pop()?;
        let made = make(&mut self.heap, top);
        let made = self.placed(made)?;
        self.push(made)
    }

    fn remember(&mut self, index: u32) -> Result<()> {
        let top = self.top()?;
        if self.memo.insert(index, top).is_none() {
            let counted = self.heap.count();
            self.placed(counted)?;
        }
        Ok(())
    }

    fn global(&mut self) -> Result<()> {
        let (module, name) = (self.line()?, self.line()?);
        match Global::find(module, name) {
            Some(global) => self.push(Value::Global(global)),
            None => {
                let (module, name) = (module.to_owned(), name.to_owned());
                Err(PickleFault::Global { module, name, offset: self.start })
            }
        }
    }

    fn reduce(&mut self) -> Result<()> {
        let arguments = self.pop()?;
        let function = self.pop()?;
        let made = self.heap.call(function, arguments);
        let made = self.placed(made)?;
        self.push(made)
    }

    /// Attributes of a dict (`_metadata` of a state dict): dropped.
    fn build(&mut self) -> Result<()> {
        match (self.pop()?, self.top()?) {
            (Value::Dict(_), Value::Dict(_)) => Ok(()),
            _ => self.malformed("attributes on something other than a dict"),
        }
    }

    fn tuple(&mut self, opcode: u8) -> Result<()> {
        let items = match opcode {
            b')' => Vec::new(),
            b't' => self.pop_to_mark()?,
            _ => self.pop_last(usize::from(opcode - 0x84))?,
        };
        let made = self.heap.tuple(items);
        let made = self.placed(made)?;
        self.push(made)
    }

    fn append(&mut self, many: bool) -> Result<()> {
        let items = if many { self.pop_to_mark()? } else { self.pop_last(1)? };
        match self.top()? {
            Value::List(list) => self.heap.lists[list].extend(items),
            _ => return self.malformed("an addition to something other than a list"),
        }
        Ok(())
    }

    fn set_items(&mut self, many: bool) -> Result<()> {
        let items = if many { self.pop_to_mark()? } else { self.pop_last(2)? };
        let (pairs, rest) = items.as_chunks::<2>();
        match self.top()? {
            Value::Dict(dict) if rest.is_empty() => {
                self.heap.dicts[dict].extend(pairs.iter().map(|&[key, value]| (key, value)));
            }
            Value::Dict(_) => return self.malformed("a key without a value"),
            _ => return self.malformed("a key of something other than a dict"),
        }
        Ok(())
    }
}

/// Python's name of an opcode that is not allowed.
fn name(opcode: u8) -> &'static str {
    match opcode {
        b'i' => "INST",
        b'o' => "OBJ",
        0x81 => "NEWOBJ",
        0x92 => "NEWOBJ_EX",
        0x93 => "STACK_GLOBAL",
        0x82..=0x84 => "EXT",
        b'P' => "PERSID",
        b'0' => "POP",
        b'1' => "POP_MARK",
        b'2' => "DUP",
        b'I' => "INT",
        b'L' => "LONG",
        0x8b => "LONG4",
        b'F' => "FLOAT",
        b'S' => "STRING",
        b'T' => "BINSTRING",
        b'V' => "UNICODE",
        0x8c => "SHORT_BINUNICODE",
        0x8d => "BINUNICODE8",
        b'B' | b'C' | 0x8e | 0x96 => "BINBYTES",
        b'l' => "LIST",
        b'd' => "DICT",
        0x8f..=0x91 => "SET",
        b'g' => "GET",
        b'p' => "PUT",
        0x94 => "MEMOIZE",
        0x95 => "FRAME",
        0x97 | 0x98 => "BUFFER",
        _ => "unknown",
    }
}
