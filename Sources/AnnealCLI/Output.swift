import Anneal

/// Prints a line on standard output, with the control characters of names made visible.
///
/// In place of Swift's own `print`, which loses what could not be written: `AnnealTool` says so at the command's end.
func print(_ text: String) { StandardStream.output.write(text.printable(keeping: ["\n", "\t"]) + "\n") }

/// The same on standard error, where nothing depends on whether it arrives.
func printError(_ text: String) { StandardStream.error.write(text.printable(keeping: ["\n", "\t"]) + "\n") }

/// Prints a line about the file that a command has written: on standard error where that is standard output.
func print(_ text: String, about path: String) {
    if Files.isStandardOutput(path) { printError(text) } else { print(text) }
}
