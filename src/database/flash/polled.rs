//! Between the store, whose device blocks, and flash drivers that are `async`.

use core::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use embedded_storage_async::nor_flash as asynchronous;

/// A flash driver of `embedded-storage-async`, for a [`FlashStorage`](super::FlashStorage): each
/// operation is polled until it is done. The processor does nothing else meanwhile but interrupts.
#[derive(Clone, Copy, Debug)]
pub struct Polled<F>(pub F);

fn poll<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => return result,
            Poll::Pending => core::hint::spin_loop(),
        }
    }
}

impl<F: asynchronous::ErrorType> ErrorType for Polled<F> {
    type Error = F::Error;
}

impl<F: asynchronous::ReadNorFlash> ReadNorFlash for Polled<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        poll(self.0.read(offset, bytes))
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl<F: asynchronous::NorFlash> NorFlash for Polled<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        poll(self.0.erase(from, to))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        poll(self.0.write(offset, bytes))
    }
}
