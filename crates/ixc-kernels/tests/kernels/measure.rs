//! The machine's rates: numbers that can be divided by, whatever the machine.

use ixc_kernels::measure::{Numbers, multiply_rate, read_rate};

#[test]
fn rates_are_positive_numbers() {
    let memory = vec![1u8; 1 << 20];
    let all = [
        read_rate(&memory),
        multiply_rate(Numbers::Int8),
        multiply_rate(Numbers::Bf16),
        multiply_rate(Numbers::F32),
    ];
    for rate in all {
        for rate in [rate.one, rate.all] {
            assert!(rate.is_finite() && rate > 0.0, "{rate}");
        }
    }
}
