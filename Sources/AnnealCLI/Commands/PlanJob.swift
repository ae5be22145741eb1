import Anneal
import ArgumentParser
import Foundation
import Synchronization

/// Predicts how a job scales with its hosts.
struct PlanJob: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Predict how fast a network trains on many hosts, from a step on this one.",
        discussion: """
            Measures training steps on random data, with as many processes' work as a host would have, and how fast \
            processes of this host exchange (by 'anneal bench-exchange'); adds what the network's latency and bandwidth \
            cost: step, images a second, efficiency (against the same processes without an exchange) and the best \
            --bucket-mb. What images take to decode is not in it.

            anneal plan --network resnet --num-layers 110 --image-shape 3,28,28 --batch-size 64 --hosts 64 --bandwidth 25Gb --latency 20us
            """)

    @Option(
        help: ArgumentHelp("One of \(Networks.names.joined(separator: ", ")).", valueName: "NAME"),
        completion: .list(Networks.names))
    var network: String
    @Option(help: ArgumentHelp("Depth of the network.", valueName: "N"))
    var numLayers: Int?
    @Option(help: ArgumentHelp("Classes.", valueName: "N"))
    var numClasses: Int = 10
    @Option(help: ArgumentHelp("Shape of the images.", valueName: "C,H,W"))
    var imageShape: String
    @Option(help: ArgumentHelp("Images of a step of a process.", valueName: "N"))
    var batchSize: Int = 128
    @Option(help: ArgumentHelp("Hosts like this one.", valueName: "N"))
    var hosts: Int = 1
    @Option(help: ArgumentHelp("Processes of a host, which share its cores.", valueName: "N"))
    var processes: Int = 1
    @Option(help: ArgumentHelp("Of a host's link: bits (Mb, Gb) or bytes (MB, GB) a second.", valueName: "RATE"))
    var bandwidth: String = "10Gb"
    @Option(help: ArgumentHelp("Between two hosts, e.g. 20us or 1ms.", valueName: "TIME"))
    var latency: String = "50us"
    @Option(help: ArgumentHelp("Threads of this host that compute (default: all cores).", valueName: "N"))
    var threads: Int?
    @Option(help: ArgumentHelp("Steps that count, after two that do not.", valueName: "N"))
    var steps: Int = 5

    func run() throws {
        let rate = try Quantity.rate(bandwidth), delay = try Quantity.time(latency)
        for (flag, value, most) in [
            ("--hosts", hosts, 100_000), ("--processes", processes, 1024), ("--steps", steps, 1_000_000),
            ("--batch-size", batchSize, 1 << 24), ("--num-classes", numClasses, 1 << 24),
            ("--threads", threads ?? 1, 1024),
        ] where !(1...most).contains(value) {
            throw UsageError(flag, "is \(value)", suggestion: "it is 1 to \(most)")
        }
        if let threads { Parallel.setThreads(threads) }
        let cores = Parallel.threads, each = max(1, cores / processes)
        let shape = try parseImageShape(imageShape)
        let symbol = try flagErrors {
            try Networks.symbol(
                network, NetworkOptions(numClasses: numClasses, imageShape: shape, numLayers: numLayers))
        }
        func workload(_ device: Device) throws -> Workload {
            try Workload(
                .new(network, symbol), shape: shape, batchSize: batchSize, inference: false, recomputation: .cheap,
                device: device)
        }
        // One process alone needs no sums, and computes on this thread, as a run does.
        let alone = try processes == 1 ? wall(of: workload(.cpu(threads: each))) : nil
        let work = try HostWork(processes, threads: each) { try workload(Device.parts(1, threads: each)) }
        var step = try work.measure(steps: steps)
        step.alone = alone
        let model = JobModel(
            step, processesPerHost: processes, bandwidth: rate, latency: delay, host: try exchange(cores: cores))
        print(description(model, work.workloads[0], each))
    }

    /// The median of a workload's steps, in seconds, after two that do not count.
    private func wall(of workload: Workload) throws -> Double {
        let clock = ContinuousClock()
        for _ in 0..<2 { try workload.step() }
        return try (0..<steps).map { _ in try clock.measure { try workload.step() } / .seconds(1) }.sorted()[steps / 2]
    }

    /// How fast the processes of a host exchange.
    private func exchange(cores: Int) throws -> JobModel.Host {
        let copies = try CopySpeed.measure(processes: processes, cores: cores)
        let guess = JobModel.Host(latency: 1e-4, messageRate: copies, copyRate: copies)
        guard processes > 1 else { return guess }
        do { return try JobModel.Host.measure(processes: processes) } catch {
            printError("How processes of this host exchange is a guess, since it cannot be measured: \(error)")
            return guess
        }
    }

    private func description(_ model: JobModel, _ workload: Workload, _ threads: Int) -> String {
        let step = model.step, base = step.alone ?? step.seconds, megabytes = Double(step.bytes) / 1_048_576
        func fixed(_ value: Double, _ places: Int) -> String { LogGrammar.fixed(value, places) }
        // Parameters and momentum, and the exchange's three copies of the gradients.
        let memory = workload.plannedBytes + 4 * workload.parameters.parameterCount * 2 + 3 * step.bytes
        var lines = [
            "Measured: \(processes.counted("process")) of \(threads.counted("thread")) on this host, batch "
                + "\(batchSize) each: \(fixed(base * 1000, 1)) ms a step",
            "Gradients: \(fixed(megabytes, 1)) MB; a process needs about \(memory >> 20) MB next to its data",
            "",
        ]
        var table = TextTable(
            ["hosts", "processes", "batch", "ms a step", "images/s", "efficiency", "--bucket-mb"],
            right: [0, 1, 2, 3, 4, 5, 6])
        for count in rows {
            let bucket = model.bestBucket(hosts: count), all = count * processes
            let seconds = model.seconds(hosts: count, bucketBytes: bucket), batch = batchSize * all
            table.add([
                "\(count)", "\(all)", "\(batch)", fixed(seconds * 1000, 1), fixed(Double(batch) / seconds, 1),
                "\(fixed(base / seconds * 100, 1)) %", all == 1 ? "-" : (Double(bucket) / 1_048_576).brief,
            ])
        }
        lines.append(table.text)
        return lines.joined(separator: "\n")
    }

    /// Powers of two, and the requested number.
    private var rows: [Int] {
        var rows: [Int] = [], count = 1
        while count < hosts {
            rows.append(count)
            count *= 2
        }
        return rows + [hosts]
    }
}

/// The work of a host's processes, which run at the same time, each on its share of the cores.
private struct HostWork {
    let workloads: [Workload]
    private let threads: [DeviceThread]

    private final class Failure: Sendable { let first = Mutex<(any Error)?>(nil) }

    /// - Parameter threads: threads of each process.
    init(_ processes: Int, threads: Int, make: () throws -> Workload) throws {
        workloads = try (0..<processes).map { _ in try make() }
        self.threads = try (0..<processes).map { try DeviceThread("anneal-process-\($0)", pool: threads) }
        for _ in 0..<2 { try forAll { try $0.step() } }
    }

    /// A step without an exchange.
    func measure(steps: Int) throws -> JobModel.Step {
        let wall = try wall(steps), first = workloads[0]
        let timeline = Timeline(steps: 0..<steps)
        try forAll(first: { try $0.record(in: timeline, steps: steps) }) { for _ in 0..<steps { try $0.step() } }
        guard var step = JobModel.Step(timeline.spans, gradientBytes: first.gradientBytes) else {
            throw AnnealError("--steps", "none was measured", code: .internalDefect)
        }
        // The time between operations is part of a step too.
        step.update = max(step.update, wall - step.passes)
        return step
    }

    /// The median of the steps, in seconds.
    func wall(_ steps: Int) throws -> Double {
        let clock = ContinuousClock()
        let times = try (0..<steps).map { _ in try clock.measure { try forAll { try $0.step() } } / .seconds(1) }
        return times.sorted()[steps / 2]
    }

    private func forAll(
        first: ((Workload) throws -> Void)? = nil, _ body: @escaping (Workload) throws -> Void
    ) throws {
        let failure = Failure()
        for (index, thread) in threads.enumerated() {
            // The thread has exclusive use of the workload until `wait` returns.
            let shared = Handover((workloads[index], index == 0 ? first ?? body : body))
            thread.start {
                do { try shared.value.1(shared.value.0) } catch { failure.first.withLock { $0 = $0 ?? error } }
            }
        }
        for thread in threads { thread.wait() }
        if let error = failure.first.withLock({ $0 }) { throw error }
    }
}

/// Numbers with units, as in flags.
enum Quantity {
    private static let rates: [String: Double] = [
        "kb": 125, "Mb": 125e3, "Gb": 125e6, "kB": 1e3, "MB": 1e6, "GB": 1e9,
    ]
    private static let times: [String: Double] = ["ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1]

    /// Bytes per second.
    static func rate(_ text: String) throws -> Double {
        try value(text, rates, "--bandwidth", "write e.g. 25Gb (bits) or 3GB (bytes)")
    }

    /// Seconds.
    static func time(_ text: String) throws -> Double {
        try value(text, times, "--latency", "write e.g. 20us or 1ms")
    }

    private static func value(
        _ text: String, _ units: [String: Double], _ flag: String, _ fix: String
    ) throws -> Double {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let value = Double(number), let unit = units[String(text.dropFirst(number.count))], value > 0,
            value < 1e9
        else { throw UsageError("\(flag) \(text)", "is not understood", suggestion: fix) }
        return value * unit
    }
}

/// How fast processes of a host copy memory.
enum CopySpeed {
    /// Bytes per second for each process, while all copy.
    static func measure(processes: Int, cores: Int) throws -> Double {
        let threads = min(processes, cores), count = 4 << 20
        let blocks = try (0..<threads).map { _ in (try Arena(count), try Arena(count)) }
        for (source, target) in blocks {
            source.base.update(repeating: 1, count: count)
            target.base.update(repeating: 1, count: count)
        }
        let before = Parallel.threads
        defer { Parallel.setThreads(before) }
        Parallel.setThreads(threads)
        let shared = Handover(blocks), clock = ContinuousClock()
        var best = Duration.seconds(3600)
        for _ in 0..<10 {
            best = min(
                best,
                clock.measure {
                    Parallel.run { part, parts in
                        for index in stride(from: part, to: shared.value.count, by: parts) {
                            shared.value[index].1.base.update(from: shared.value[index].0.base, count: count)
                        }
                    }
                })
        }
        return Double(4 * count) / (best / .seconds(1)) * Double(threads) / Double(processes)
    }
}
