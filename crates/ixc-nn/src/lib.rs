//! Layers and numbers on candle: what a transformer is made of, and the files its weights live in.
//!
//! Weights are read through [`weights::Checkpoint`] and keep their stored precision; activations are
//! float32 tensors. A [`device::Device`] says where, and so in which form, a model computes. Deliberately absent: words, pictures, and any knowledge of which model this is.

pub mod activation;
pub mod attention;
pub mod cache;
pub mod device;
pub mod embedding;
pub mod error;
pub mod graph;
pub mod inputs;
pub mod interpolate;
pub mod lanes;
pub mod limits;
pub mod linear;
pub mod loss;
pub mod moments;
pub mod norm;
pub mod numbers;
pub mod plora;
pub mod rope;
pub mod rows;
pub mod trained;
pub mod weights;

pub use error::Error;
pub use half::{bf16, f16};
pub use ixc_kernels::{
    Arithmetic, Buffer, Matrix, Quant, adamw, cpu, measure, pool, quant,
    recycle::{Steps, pass, steps},
};
