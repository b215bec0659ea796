//! How fast a device multiplies, and its memory: `rates cuda`, or `cuda:N`, or `cpu`.
//!
//! What a step's own rate is held against; on the CPU by candle, whose kernels our own replace.
#![allow(clippy::print_stdout)] // a program at a developer's terminal

use ixc_nn::{Arithmetic, device::Place};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "cpu".into());
    let device = name.parse::<Place>()?.open()?;
    if let Some(memory) = device.memory()? {
        println!("memory: {} bytes free of {}", memory.free, memory.total);
    }
    let side = if device.has_kernels() { 1024 } else { 8192 };
    for (name, arithmetic) in [("bfloat16", Arithmetic::Fast), ("float32", Arithmetic::Exact)] {
        let rate = device.multiply_rate(arithmetic, side)?;
        println!("products {side} wide in {name}: {:.1} TFLOP/s", rate / 1e12);
    }
    Ok(())
}
