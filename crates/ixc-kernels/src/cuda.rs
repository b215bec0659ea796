//! An NVIDIA GPU's pool of memory, told to keep what is given back to it.
//!
//! The driver hands memory back to the machine whenever somebody waits for the GPU, and a training step waits
//! twice: gigabytes would be mapped anew in every step. Deliberately absent: everything else of a GPU, which is
//! candle's.

use cudarc::driver::{
    CudaContext, DriverError,
    result::{device, mem_pool},
    sys::CUmemPool_attribute,
};

/// Lets the process keep the memory that it no longer uses, for the next tensors.
///
/// # Errors
/// When the driver refuses.
pub fn keep_memory(context: &CudaContext) -> Result<(), DriverError> {
    let mut bytes_kept = u64::MAX;
    let attribute = CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: the context holds a device that the driver gave it; its own pool lives as long as the device; this
    // attribute's value is a 64-bit number, which outlives the call.
    unsafe {
        let pool = device::get_default_mem_pool(context.cu_device())?;
        mem_pool::set_attribute(pool, attribute, (&raw mut bytes_kept).cast())
    }
}
