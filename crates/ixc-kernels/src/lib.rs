//! The CPU's fast path: plain slices in, plain slices out.
//!
//! The only home of `unsafe` in the project. Weights stay in the precision they are stored in
//! ([`Matrix`]), mapped from their file where that is possible ([`Buffer`]), and are widened to f32
//! a block of rows at a time while they are multiplied; nothing is ever kept twice. Attention reads the
//! cache where it lies. What is differentiable has its gradient beside it.
//! Deliberately absent: tensors, models, words, pictures.

#![allow(unsafe_code)]

pub mod adamw;
pub mod arithmetic;
pub mod attention;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod buffer;
pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
#[cfg(target_arch = "x86_64")]
mod dense_avx512;
pub mod dropout;
pub mod elementwise;
pub mod gather;
pub mod gptq;
pub mod heads;
pub mod loss;
pub mod map;
mod math;
pub mod matmul;
pub mod matrix;
pub mod measure;
#[cfg(target_arch = "aarch64")]
mod neon;
pub mod norm;
pub mod pool;
pub mod product;
pub mod quant;
pub mod recycle;
pub mod reduce;
mod sgemm;
mod simd;
mod weight;

pub use arithmetic::Arithmetic;
pub use buffer::Buffer;
pub use gptq::Gptq;
pub use map::MappedFile;

pub use matmul::matmul;
pub use matrix::Matrix;
pub use quant::Quant;
pub use weight::Weight;
