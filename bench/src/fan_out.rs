//! A fixed number of requests, a fixed number of them in flight: how a server is filled.

use std::cell::Cell;

use futures_util::{TryStreamExt as _, stream::FuturesUnordered};

use crate::{
    fault::Fault,
    http::{Address, Connection},
    meter::{Meter, Usage},
};

/// Results in the order of their indices, and what they cost.
#[derive(Debug)]
pub(crate) struct Batch<T> {
    /// One result for each index.
    pub(crate) results: Vec<T>,
    /// Time and CPU from first request to last response.
    pub(crate) usage: Usage,
}

/// Runs `operation` for 0..`count`, `in_flight` at a time, each lane on its own connection. The first fault ends it.
pub(crate) async fn fan_out<T>(
    server: (&Address, Option<u32>),
    count: usize,
    in_flight: usize,
    operation: impl AsyncFn(&mut Connection, usize) -> Result<T, Fault>,
) -> Result<Batch<T>, Fault> {
    let (address, pid) = server;
    let next = Cell::new(0);
    let lane = async || {
        let mut connection = Connection::open(address).await?;
        let mut done = Vec::new();
        while let Some(index) = take(&next, count) {
            done.push((index, operation(&mut connection, index).await?));
        }
        Ok::<_, Fault>(done)
    };
    let meter = Meter::start(pid)?;
    let lanes: FuturesUnordered<_> = (0..in_flight.min(count)).map(|_| lane()).collect();
    let mut results = lanes.try_concat().await?;
    let usage = meter.stop()?;
    results.sort_by_key(|(index, _)| *index);
    Ok(Batch {
        results: results.into_iter().map(|(_, result)| result).collect(),
        usage,
    })
}

fn take(next: &Cell<usize>, count: usize) -> Option<usize> {
    let index = next.get();
    next.set(index + 1);
    (index < count).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Request, testing::with_server};

    #[test]
    fn results_stand_in_order_and_each_index_once() {
        with_server(async |address| {
            let batch = fan_out((&address, None), 50, 8, async |connection, index| {
                let path = format!("/{index}");
                let response = connection.call(&Request::get(&path, None)).await?;
                Ok(String::from_utf8_lossy(response.body).into_owned())
            });
            let results = batch.await.unwrap().results;
            let expected: Vec<_> = (0..50).map(|index| format!("GET /{index} true None 0")).collect();
            assert_eq!(results, expected);
        });
    }

    #[test]
    fn a_fault_ends_it() {
        with_server(async |address| {
            let batch = fan_out((&address, None), 50, 8, async |_, index| match index {
                20 => Err(Fault::Usage("twenty".to_owned())),
                _ => Ok(index),
            });
            assert_eq!(batch.await.unwrap_err().to_string(), "twenty");
        });
    }

    #[test]
    fn nothing_to_do_is_done() {
        with_server(async |address| {
            let batch = fan_out((&address, None), 0, 8, async |_, index| Ok(index))
                .await
                .unwrap();
            assert_eq!(batch.results, Vec::<usize>::new());
        });
    }
}
