import Anneal
import ArgumentParser

/// Shows where a step's time goes.
struct Profile: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show where the time of a network's steps goes, and what this machine could do.",
        discussion: """
            Runs training steps (or forward passes, with --inference) on random data and adds up what their operations took. \
            GFLOP/s counts the operations of the definition, backward passes as much as the forward pass for each of data \
            and weights; GB/s counts every operand read or written once. 'roofline' is the least time that the machine's \
            measured peaks allow, in parts of the time taken; above 100 % the operands came from the caches.

            anneal profile --network resnext --num-layers 101 --trunk imagenet --image-shape 3,28,28 --trace step.json

            Of several processes the first one is shown, with what the exchange of gradients takes:

            anneal launch -n 2 anneal profile --kv-store dist_sync --network resnet --num-layers 20 --image-shape 3,28,28

            A trace opens in https://ui.perfetto.dev or chrome://tracing.
            """)

    @OptionGroup var options: WorkloadOptions
    @OptionGroup var step: StepOptions
    @Flag(help: "Also a table by layer.")
    var byLayer = false
    @Flag(help: "Also a table by shapes: what one kernel does in all its layers.")
    var byShape = false
    @Option(help: ArgumentHelp("Write the steps' operations as a trace.", valueName: "FILE.json"))
    var trace: String?
    @Flag(help: "Only measure the machine's peaks; needs no network.")
    var peaks = false

    func run() throws {
        if peaks {
            print(try Roofline.measure().text)
            return
        }
        try step.check()
        try options.run(step.settings) { workload, group in
            guard group?.rank ?? 0 == 0 else {
                for _ in 0..<2 + options.steps { try workload.step() }
                return
            }
            try profile(workload)
        }
    }

    private func profile(_ workload: Workload) throws {
        try trace.map(prepareOutput)
        guard workload.timesOperations else { return try profileWhole(workload) }
        let roofline = try Roofline.measure()
        print("This machine: \(roofline.text)")
        for _ in 0..<2 { try workload.step() }
        var timeline = Timeline(steps: 0..<0)
        let elapsed = try ContinuousClock().measure { timeline = try workload.record(steps: options.steps) }
        let groupings: [ProfileTable.Grouping] = [.kind] + (byLayer ? [.layer] : []) + (byShape ? [.shape] : [])
        for (index, grouping) in groupings.enumerated() {
            let table = ProfileTable(timeline.spans, by: grouping, roofline: roofline)
            if index == 0 {
                let step = elapsed / .milliseconds(options.steps)
                let inside = table.total.seconds / Double(options.steps) * 1000
                print(
                    "A step took \(LogGrammar.fixed(step, 3)) ms, \(LogGrammar.fixed(inside, 3)) ms of it in the operations below."
                )
            }
            print("\n" + table.text)
        }
        if let exchange = ExchangeSummary(timeline.spans, exchanges: timeline.exchanges) { print("\n\(exchange.text)") }
        if let trace {
            try Trace.write(timeline, to: trace)
            print("\nTrace: \(trace)", about: trace)
        }
    }
}

extension Profile {
    /// A compiler has made one program of all operations: only the whole step can be timed from outside.
    private func profileWhole(_ workload: Workload) throws {
        guard trace == nil, !byLayer, !byShape else {
            throw UsageError(
                "--trace, --by-layer and --by-shape", "show operations, and an accelerator runs a step as one program",
                suggestion:
                    "leave them out; the vendor's profiler (e.g. nsys profile anneal train ...) shows what is in it")
        }
        for _ in 0..<2 { try workload.step() }
        try workload.finish()
        let elapsed = try ContinuousClock().measure {
            for _ in 0..<options.steps { try workload.step() }
            try workload.finish()
        }
        print(
            "A step took \(LogGrammar.fixed(elapsed / .milliseconds(options.steps), 3)) ms; its program takes "
                + "\(workload.plannedBytes >> 20) MB next to parameters and states.")
    }
}

/// Checks before a long run whether its output can be written at the end.
func prepareOutput(_ path: String) throws {
    guard !Files.isFolder(path) else { throw AnnealError(path, "is a folder", suggestion: "name a file") }
    let folder = Files.folder(of: path)
    if !folder.isEmpty { try Files.makeFolder(folder) }
}
