import Anneal
import ArgumentParser
import Foundation

/// Times training steps or forward passes on random data: Anneal's side of `make bench`.
struct BenchStep: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-step",
        abstract: "Time whole training steps, or forward passes, of a network on random data.",
        discussion: """
            Prints one line of JSON: seconds of each step, their median, and the peak of resident memory. 'anneal profile' \
            shows where the time goes. Of several processes the first one prints.

            anneal bench-step --network resnet --num-layers 20 --image-shape 3,28,28
            anneal launch -n 2 anneal bench-step --kv-store dist_sync --network resnet --num-layers 20 --image-shape 3,28,28
            """)

    @OptionGroup var options: WorkloadOptions
    @Option(
        help: ArgumentHelp(
            "Write the network and its first values as a checkpoint of epoch 0, and time nothing.", valueName: "PREFIX")
    )
    var writeModel: String?

    func run() throws {
        try options.run { workload, group in
            if let writeModel {
                if group?.rank ?? 0 == 0 { try workload.save(prefix: writeModel) }
                return
            }
            try time(workload, processes: group?.size ?? 1, isFirst: group?.rank ?? 0 == 0)
        }
    }

    private func time(_ workload: Workload, processes: Int, isFirst: Bool) throws {
        for _ in 0..<2 { try workload.step() }
        let clock = ContinuousClock()
        let times = try (0..<options.steps).map { _ in
            try clock.measure { try workload.step() } / .seconds(1)
        }
        guard isFirst else { return }
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let peak = workload.peakDeviceBytes.map { JSONValue.integer($0 >> 20) }
        let record: JSONValue = [
            "framework": "anneal", "steps": .array(times.map(microseconds)),
            "median": microseconds(times.sorted()[times.count / 2]), "peak_rss_mb": .integer(usage.ru_maxrss / 1024),
            "device_peak_mb": peak ?? .null, "planned_mb": .integer(workload.plannedBytes >> 20),
            "processes": .integer(processes), "relayouts": .integer(workload.relayouts),
            "parameters": .integer(workload.parameters.parameterCount),
        ]
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        print(String(decoding: try encoder.encode(record), as: UTF8.self))
    }

    /// Seconds, to the microsecond.
    private func microseconds(_ seconds: Double) -> JSONValue { .number((seconds * 1e6).rounded() / 1e6) }
}
