import Anneal
import ArgumentParser

/// How images are decoded by commands that decode all of them.
struct DecodingOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Threads that decode images.", valueName: "N"))
    var dataNthreads: Int = LoaderOptions.defaultThreads
    @Option(help: ArgumentHelp("Images with more pixels are bad.", valueName: "N"))
    var maxImagePixels: Int = Image.maximumPixels

    func check() throws {
        _ = try Self.checked(threads: dataNthreads)
        _ = try Self.checked(pixels: maxImagePixels)
    }

    static func checked(threads: Int, of flag: String = "--data-nthreads") throws -> Int {
        guard (1...1024).contains(threads) else {
            throw UsageError(flag, "is \(threads)", suggestion: "it must be 1 to 1024")
        }
        return threads
    }

    static func checked(pixels: Int) throws -> Int {
        guard (1...LoaderOptions.mostPixels).contains(pixels) else {
            throw UsageError(
                "--max-image-pixels", "is \(pixels)", suggestion: "it must be 1 to \(LoaderOptions.mostPixels)")
        }
        return pixels
    }
}
