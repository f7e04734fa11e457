//! Computation graphs of networks, their execution and interventions.
