//! Which instructions this processor has: the one place where they are asked for.
//!
//! Every kernel has a portable form; the wider ones are chosen here at run time, so one binary serves
//! all machines. [`limit`] takes the wider ones away, which is how tests and benchmarks see each path.

use std::sync::atomic::{AtomicU8, Ordering};

/// A set of instructions that kernels are written for, narrowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// Plain Rust, whatever the compiler makes of it.
    Portable,
    /// Arm's 128-bit vectors.
    Neon,
    /// As above, with 8-bit dot products.
    NeonDotprod,
    /// x86 with 256-bit vectors: AVX2, FMA and F16C.
    Avx2,
    /// As above, with 8-bit dot products: AVX-VNNI.
    AvxVnni,
    /// x86 with 512-bit vectors and 8-bit dot products: AVX-512 F, BW, DQ, VL, VBMI and VNNI.
    Avx512,
    /// As above, with bfloat16 dot products.
    Avx512Bf16,
}

/// All paths, narrowest first.
const ALL: [Path; 7] = [
    Path::Portable,
    Path::Neon,
    Path::NeonDotprod,
    Path::Avx2,
    Path::AvxVnni,
    Path::Avx512,
    Path::Avx512Bf16,
];

impl Path {
    /// Whether this processor can take the path.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            #[cfg(target_arch = "aarch64")]
            Self::NeonDotprod => {
                Self::Neon.is_available() && std::arch::is_aarch64_feature_detected!("dotprod")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => Self::Avx2.is_available() && is_x86_feature_detected!("avxvnni"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vbmi")
                    && is_x86_feature_detected!("avx512vnni")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => {
                Self::Avx512.is_available() && is_x86_feature_detected!("avx512bf16")
            }
            #[allow(unreachable_patterns)] // the other architecture's paths
            _ => false,
        }
    }

    /// Every path that this processor can take, narrowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        ALL.into_iter().filter(|path| path.is_available())
    }

    /// Whether the path is faster than the narrower ones. Intel's processors carry out one bfloat16 dot
    /// product of a vector in the time of four float32 products of one, which multiply twice as many
    /// numbers (86 against 176 Gop/s a thread, measured on Sapphire Rapids); AMD's take half of that.
    fn pays(self) -> bool {
        self != Self::Avx512Bf16 || !is_intel()
    }

    /// Its name in reports and flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::NeonDotprod => "neondotprod",
            Self::Avx2 => "avx2",
            Self::AvxVnni => "avxvnni",
            Self::Avx512 => "avx512",
            Self::Avx512Bf16 => "avx512bf16",
        }
    }
}

/// Whether the processor is Intel's.
fn is_intel() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let vendor = std::arch::x86_64::__cpuid(0);
        let name = [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes);
        name.as_flattened() == b"GenuineIntel"
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// One more than the chosen path's number; 0 before the first question.
static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// The fastest path that this processor has, or the widest that [`limit`] allows.
pub fn path() -> Path {
    match CHOSEN.load(Ordering::Relaxed) {
        0 => {
            let fastest = Path::available().filter(|path| path.pays()).last();
            let fastest = fastest.unwrap_or(Path::Portable);
            CHOSEN.store(fastest as u8 + 1, Ordering::Relaxed);
            fastest
        }
        chosen => ALL[usize::from(chosen) - 1],
    }
}

/// Takes no path wider than this one from now on; returns the path in use. For the whole process: products
/// that run meanwhile may take either.
pub fn limit(widest: Path) -> Path {
    let path = Path::available().filter(|path| *path <= widest).last().unwrap_or(Path::Portable);
    CHOSEN.store(path as u8 + 1, Ordering::Relaxed);
    path
}
