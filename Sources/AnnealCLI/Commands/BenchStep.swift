import Anneal
import ArgumentParser
import Foundation

/// Times training steps on random data: Anneal's side of `make bench`.
struct BenchStep: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-step",
        abstract: "Time whole training steps of a network on random data.",
        discussion: "Prints one line of JSON: seconds of each step, their median, and the peak of resident memory.")

    @Option(help: "One of \(Networks.names.joined(separator: ", ")).")
    var network: String
    @Option(help: "Depth of the network.")
    var numLayers: Int?
    @Option(help: ArgumentHelp("Shape of the images that are fed.", valueName: "C,H,W"))
    var imageShape: String
    @Option(
        help: ArgumentHelp("'imagenet' builds the network for 224x224 images and feeds it others.", valueName: "TRUNK"))
    var trunk: String?
    @Option(help: "Images of a step.")
    var batchSize: Int = 128
    @Option(help: "Classes.")
    var numClasses: Int = 10
    @Option(help: "Steps that are timed, after two that are not.")
    var steps: Int = 5
    @Flag(help: "Compute most of the forward pass a second time to need less memory.")
    var recompute = false
    @Flag(help: "Time each layer and print a table instead.")
    var byLayer = false
    @Option(help: ArgumentHelp("Write the network's symbol there and time nothing.", valueName: "FILE"))
    var writeSymbol: String?

    func run() throws {
        let shape = try parseImageShape(imageShape)
        guard trunk == nil || trunk == "imagenet" else {
            throw UsageError("--trunk", "is not known", mend: "it is imagenet")
        }
        guard steps > 0, batchSize > 0 else { throw UsageError("--steps and --batch-size", "must be at least 1") }
        let symbol = try flagErrors {
            try Networks.symbol(
                network,
                NetworkOptions(
                    numClasses: numClasses, imageShape: trunk == nil ? shape : [3, 224, 224], numLayers: numLayers))
        }
        if let writeSymbol {
            try Files.writeAtomically(Data(try symbol.json().utf8), to: writeSymbol)
            return
        }
        let optimizer = try Optimizers.make("sgd", ["learning_rate": 0.05, "momentum": 0.9, "wd": 1e-4])
        let trainer = try Trainer(
            symbol, dataShape: Shape(shape), batchSize: batchSize, optimizer: optimizer,
            recomputation: recompute ? .full : .cheap)
        try trainer.initialize(Initializers.fit(network: network))
        let slot = try trainer.slot()
        var random = Random(seed: 1, purpose: .test)
        for i in slot.data.indices { slot.data[i] = random.uniform(-1, 1) }
        for i in slot.labels.indices { slot.labels[i] = Float(random.below(numClasses)) }
        for _ in 0..<2 { try trainer.step() }
        if byLayer {
            print(try trainer.timesByLayer(steps: steps))
            return
        }
        let clock = ContinuousClock()
        let times = try (0..<steps).map { _ in
            let begin = clock.now
            try trainer.step()
            let elapsed = clock.now - begin
            return Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
        }
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let list = times.map { String(format: "%.6f", $0) }.joined(separator: ", ")
        let median = times.sorted()[times.count / 2]
        print(
            "{\"framework\": \"anneal\", \"steps\": [\(list)], \"median\": \(String(format: "%.6f", median)), \"peak_rss_mb\": \(usage.ru_maxrss / 1024), \"planned_mb\": \(trainer.plannedBytes >> 20), \"relayouts\": \(trainer.relayouts)}"
        )
    }
}
