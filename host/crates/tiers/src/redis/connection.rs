//! One connection to Redis.

use futures_util::future::join_all;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, Pipeline, RedisResult, Value};

/// A connection that one asks at a time.
pub(super) enum Connection {
    /// To one server.
    Single(MultiplexedConnection),
    /// To the nodes of a cluster.
    Cluster(ClusterConnection),
}

impl Connection {
    /// Sends commands and brings their answers: at once to one server, which does them in their order; to a cluster each for
    /// itself, in any order.
    pub(super) async fn send(&mut self, commands: &[Cmd]) -> RedisResult<Vec<RedisResult<Value>>> {
        match self {
            Self::Single(connection) => {
                let mut pipeline = Pipeline::with_capacity(commands.len());
                for command in commands {
                    pipeline.add_command(command.clone());
                }
                let answers = connection.req_packed_commands(&pipeline, 0, commands.len());
                let answers = answers.await?;
                Ok(answers.into_iter().map(Value::extract_error).collect())
            }
            Self::Cluster(connection) => {
                let asked = commands.iter().map(|command| {
                    let mut connection = connection.clone();
                    async move {
                        let answer = connection.req_packed_command(command).await;
                        answer.and_then(Value::extract_error)
                    }
                });
                Ok(join_all(asked).await)
            }
        }
    }
}
