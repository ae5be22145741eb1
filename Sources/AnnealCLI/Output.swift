import Anneal

/// Prints a line on standard output, making control characters in names visible.
///
/// Replaces Swift's own `print`, which ignores write errors: `AnnealTool` reports them at the command's end.
func print(_ text: String) { StandardStream.output.write(text.printable(keeping: ["\n", "\t"]) + "\n") }

/// The same on standard error, where write errors do not matter.
func printError(_ text: String) { StandardStream.error.write(text.printable(keeping: ["\n", "\t"]) + "\n") }

/// Prints a line about a file that a command has written: on standard error if the file is standard output.
func print(_ text: String, about path: String) {
    if Files.isStandardOutput(path) { printError(text) } else { print(text) }
}
