//! Runs the command line.

use super::{
    command::{self, Command},
    configuration::LocalSettings,
    help,
    listen::listen,
    once::{OnceOptions, once},
    output::write,
};
use crate::{error::Result, invocation::Functions};
use std::{env, io, process};

/// Runs the command line. A one-shot invocation exits the process.
#[expect(clippy::exit, reason = "a command line ends with its exit code")]
pub(crate) async fn run(functions: Functions, mut settings: LocalSettings) -> Result<()> {
    let (program, command) = {
        let mut arguments = env::args_os();
        (help::program(arguments.next()), command::parse(arguments))
    };
    match command {
        Ok(Command::Help) => write(&mut io::stdout(), help::help(&program).as_bytes()),
        Ok(Command::Version) => write(&mut io::stdout(), help::version(&program).as_bytes()),
        Ok(Command::Listen {
            address,
            hosts,
            routes,
            retry,
            events,
        }) => {
            settings.retry = retry;
            settings.events = events;
            settings.hosts = hosts;
            settings.routes = settings.routes.and(routes);
            return listen(functions, settings, &program, address).await;
        }
        Ok(Command::Once {
            sources,
            handler,
            timeline,
        }) => {
            let options = OnceOptions {
                sources,
                handler,
                timeline,
            };
            let code = once(&functions, &settings, &program, options).await?;
            process::exit(code)
        }
        Err(mistake) => {
            write(
                &mut io::stderr(),
                format!("{program}: {mistake}\n").as_bytes(),
            );
            process::exit(2);
        }
    }
    Ok(())
}
