import AnnealTrain
import Foundation

/// How long a step of a job of many processes takes, from a step that was measured on one host.
///
/// A message of n bytes takes latency + n / bandwidth (the alpha-beta model; Thakur, Rabenseifner and Gropp 2005, "Optimization
/// of collective communication operations in MPICH"). A bucket of gradients is exchanged twice: each process sends the others
/// their slices, and then its slice of the sum. Buckets travel one after the other during the backward pass; copying and
/// adding them takes time from it.
package struct JobModel {
    /// What one process does in a step, in seconds.
    package struct Step {
        /// Forward and backward pass.
        package var passes: Double
        /// What follows the gradients.
        package var update: Double
        /// When how many bytes of gradients are complete, from the step's beginning; in order of time.
        package var gradients: [(time: Double, bytes: Int)]

        /// A step of one process that shares its batches with nobody, in which weights are updated during the backward pass.
        package var alone: Double?

        package init(passes: Double, update: Double, gradients: [(time: Double, bytes: Int)]) {
            self.passes = passes
            self.update = update
            self.gradients = gradients
        }

        /// A step without an exchange.
        package var seconds: Double { passes + update }
        package var bytes: Int { gradients.reduce(0) { $0 + $1.bytes } }
    }

    package let step: Step
    /// Of each host.
    package let processesPerHost: Int
    /// Bytes a second between two hosts, each way.
    package let bandwidth: Double
    /// Seconds.
    package let latency: Double
    package let host: Host

    /// What a process of a host does for the exchange, while the others of the host do the same.
    package struct Host {
        /// Seconds of an exchange of a few bytes.
        package var latency: Double
        /// Bytes a second that it sends to the others, while as many arrive.
        package var messageRate: Double
        /// Bytes a second that it copies.
        package var copyRate: Double

        package init(latency: Double, messageRate: Double, copyRate: Double) {
            (self.latency, self.messageRate, self.copyRate) = (latency, messageRate, copyRate)
        }
    }

    /// Seconds that a process spends on each message.
    private static let messageCost = 1e-6
    /// Exchanges of a step besides those of gradients: labels, outputs, and whether to stop.
    private static let smallExchanges = 3.0
    /// How often an element is copied or read by the exchange: into the message, into the sum, and out of the answer.
    private static let copies = 3.0

    package init(
        _ step: Step, processesPerHost: Int, bandwidth: Double, latency: Double, host: Host
    ) {
        self.step = step
        self.processesPerHost = processesPerHost
        self.bandwidth = bandwidth
        self.latency = latency
        self.host = host
    }

    /// Seconds of a step.
    /// - Parameter bucketBytes: a bucket travels when it has so many bytes.
    package func seconds(hosts: Int, bucketBytes: Int) -> Double {
        let processes = hosts * processesPerHost
        guard processes > 1 else { return step.alone ?? step.seconds }
        var free = 0.0, stolen = 0.0
        for bucket in buckets(bucketBytes) {
            let begin = max(free, bucket.time + stolen)
            let (travel, work) = cost(Double(bucket.bytes), hosts)
            free = begin + travel + work
            if begin < step.passes + stolen { stolen += work }
        }
        let small = Self.smallExchanges * delay(hosts)
        return max(step.passes + stolen, free) + small + step.update
    }

    /// Seconds of an exchange's messages before their first bytes arrive.
    private func delay(_ hosts: Int) -> Double {
        (hosts > 1 ? latency : host.latency) + Double(hosts * processesPerHost - 1) * Self.messageCost
    }

    /// Seconds of a bucket on its way, and those of work.
    private func cost(_ bytes: Double, _ hosts: Int) -> (travel: Double, work: Double) {
        let processes = Double(hosts * processesPerHost), here = Double(processesPerHost)
        // What leaves the host shares its link; what stays keeps the cores busy.
        let away = bytes * (processes - here) / processes * here, inside = bytes * (here - 1) / processes
        let travel = 2 * (delay(hosts) + away / bandwidth)
        return (travel, Self.copies * bytes / host.copyRate + 2 * inside / host.messageRate)
    }

    private func buckets(_ limit: Int) -> [(time: Double, bytes: Int)] {
        var buckets: [(time: Double, bytes: Int)] = [], bytes = 0
        for (index, gradient) in step.gradients.enumerated() {
            bytes += gradient.bytes
            guard bytes >= limit || index == step.gradients.count - 1 else { continue }
            buckets.append((gradient.time, bytes))
            bytes = 0
        }
        return buckets
    }

    /// The size of buckets, of some powers of two, with which a step is shortest.
    package func bestBucket(hosts: Int) -> Int {
        let sizes = (18...28).map { 1 << $0 }
        return sizes.min { seconds(hosts: hosts, bucketBytes: $0) < seconds(hosts: hosts, bucketBytes: $1) } ?? sizes[0]
    }
}

extension JobModel.Step {
    /// The median of recorded steps.
    /// - Parameter gradientBytes: by operation: the bytes of gradients that are complete when it is over.
    package init?(_ spans: [Timeline.Span], gradientBytes: [(layer: String, kind: String, bytes: Int)]) {
        let steps = Dictionary(grouping: spans, by: \.step).values.map { spans -> JobModel.Step in
            let begin = spans.map(\.begin).min() ?? .zero
            func time(_ span: Timeline.Span) -> Double { (span.end - begin) / .seconds(1) }
            let passes = spans.filter { $0.operation.phase != .update && $0.operation.phase != .metrics }
            var gradients: [(time: Double, bytes: Int)] = []
            for (layer, kind, bytes) in gradientBytes {
                guard let span = passes.last(where: { $0.operation.layer == layer && $0.operation.kind == kind }) else {
                    continue
                }
                gradients.append((time(span), bytes))
            }
            let update = spans.filter { $0.operation.phase == .update }.reduce(0) { $0 + $1.duration / .seconds(1) }
            return JobModel.Step(
                passes: passes.map(time).max() ?? 0, update: update, gradients: gradients.sorted { $0.time < $1.time })
        }
        guard let median = steps.sorted(by: { $0.seconds < $1.seconds }).dropFirst(steps.count / 2).first else {
            return nil
        }
        self = median
    }
}
