//! CPU time used between two instants by the server, by the generator, and by everything else on the machine.

use std::time::Instant;

use crate::{clock, fault::Fault, proc};

/// A reading of clock and CPU times at one instant.
#[derive(Debug)]
pub(crate) struct Meter {
    at: Instant,
    pid: Option<u32>,
    server_micros: f64,
    generator_micros: f64,
    machine_micros: f64,
}

/// What was used between two readings.
#[derive(Debug, PartialEq)]
pub(crate) struct Usage {
    /// Time that passed, in seconds.
    pub(crate) seconds: f64,
    /// CPU microseconds of the server; none when its process is not known.
    pub(crate) server_micros: Option<f64>,
    /// CPU microseconds of the generator.
    pub(crate) generator_micros: f64,
    /// CPU microseconds of everything else on the machine; none when the server's process is not known.
    pub(crate) other_micros: Option<f64>,
}

impl Meter {
    /// Reads all clocks now. `pid` is the server's process.
    pub(crate) fn start(pid: Option<u32>) -> Result<Self, Fault> {
        let server_micros = pid.map_or(Ok(0.0), proc::cpu_micros)?;
        Ok(Self {
            at: clock::now(),
            pid,
            server_micros,
            generator_micros: proc::own_cpu_micros()?,
            machine_micros: proc::machine_cpu_micros()?,
        })
    }

    /// Reads them again.
    pub(crate) fn stop(&self) -> Result<Usage, Fault> {
        Ok(self.until(&Self::start(self.pid)?))
    }

    fn until(&self, later: &Self) -> Usage {
        let server = later.server_micros - self.server_micros;
        let generator_micros = later.generator_micros - self.generator_micros;
        let machine = later.machine_micros - self.machine_micros;
        // Ticks of the three readings are not in step, so a small negative remainder means "nothing".
        let other = (machine - server - generator_micros).max(0.0);
        Usage {
            seconds: later.at.duration_since(self.at).as_secs_f64(),
            server_micros: self.pid.map(|_| server),
            generator_micros,
            other_micros: self.pid.map(|_| other),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn reading(at: Instant, pid: Option<u32>, micros: [f64; 3]) -> Meter {
        let [server_micros, generator_micros, machine_micros] = micros;
        Meter {
            at,
            pid,
            server_micros,
            generator_micros,
            machine_micros,
        }
    }

    #[test]
    fn what_is_neither_server_nor_generator_is_other() {
        let at = clock::now();
        let first = reading(at, Some(1), [10.0, 20.0, 100.0]);
        let second = reading(at + Duration::from_secs(2), Some(1), [40.0, 30.0, 200.0]);
        let usage = first.until(&second);
        let expected = Usage {
            seconds: 2.0,
            server_micros: Some(30.0),
            generator_micros: 10.0,
            other_micros: Some(60.0),
        };
        assert_eq!(usage, expected);
    }

    #[test]
    fn nothing_is_said_of_an_unknown_process() {
        let at = clock::now();
        let usage = reading(at, None, [0.0; 3]).until(&reading(at, None, [0.0, 5.0, 1.0]));
        assert_eq!(usage.server_micros, None);
        assert_eq!(usage.other_micros, None);
    }
}
