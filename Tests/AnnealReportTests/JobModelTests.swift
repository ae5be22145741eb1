import AnnealCompiler
import AnnealReport
import AnnealTrain
import Testing

/// Predictions for jobs, compared with numbers computed by hand.
struct JobModelTests {
    private func model(processesPerHost: Int = 1) -> JobModel {
        JobModel(
            JobModel.Step(passes: 0.1, update: 0.02, gradients: [(0.06, 1_000_000), (0.1, 1_000_000)]),
            processesPerHost: processesPerHost, bandwidth: 1e8, latency: 1e-3,
            host: JobModel.Host(latency: 1e-4, messageRate: 5e8, copyRate: 1e9))
    }

    @Test func oneProcessExchangesNothing() {
        #expect(abs(model().seconds(hosts: 1, bucketBytes: 1) - 0.12) < 1e-9)
    }

    /// Two hosts: half of a bucket is sent each way, twice 1.001 + 5 ms, and copying takes 3 ms. The first bucket
    /// begins at 60 ms and ends at 75.002, hidden except for the copying; the second one begins at 103 and ends at
    /// 118.002. Three small exchanges of 1.001 ms and the update follow.
    @Test func bucketsTravelDuringTheBackwardPass() {
        #expect(abs(model().seconds(hosts: 2, bucketBytes: 1_000_000) - 0.141005) < 1e-9)
    }

    /// A single bucket begins when the passes have ended: 22.002 + 6 ms.
    @Test func oneBucketIsNotHidden() {
        #expect(abs(model().seconds(hosts: 2, bucketBytes: 2_000_000) - 0.151005) < 1e-9)
    }

    /// Two processes on a host: half of a bucket is sent twice, in 2 ms, and copying takes 3 ms, after 0.202 ms.
    @Test func processesOfAHostCopy() {
        #expect(abs(model(processesPerHost: 2).seconds(hosts: 1, bucketBytes: 1_000_000) - 0.130505) < 1e-9)
    }

    @Test func theBestBucketIsTheShortestStep() {
        let model = model(), best = model.bestBucket(hosts: 64)
        for size in [1 << 18, 1 << 20, 1 << 22, 1 << 28] {
            #expect(model.seconds(hosts: 64, bucketBytes: best) <= model.seconds(hosts: 64, bucketBytes: size))
        }
    }

    private func span(
        _ layer: String, _ phase: OperationCost.Phase, _ begin: Int, _ duration: Int, step: Int = 0
    ) -> Timeline.Span {
        Timeline.Span(
            OperationCost(layer: layer, kind: "k", phase: phase), step: step, begin: .milliseconds(begin),
            duration: .milliseconds(duration))
    }

    @Test func aStepIsTakenFromItsOperations() throws {
        let spans = [
            span("a", .forward, 100, 10), span("b", .backward, 115, 5), span("a", .backward, 120, 20),
            span("all", .update, 150, 7),
        ]
        let step = try #require(JobModel.Step(spans, gradientBytes: [("b", "k", 8), ("a", "k", 4)]))
        #expect(abs(step.passes - 0.04) < 1e-9 && abs(step.update - 0.007) < 1e-9 && step.bytes == 12)
        #expect(step.gradients.map(\.bytes) == [8, 4])
        #expect(abs(step.gradients[0].time - 0.02) < 1e-9 && abs(step.gradients[1].time - 0.04) < 1e-9)
    }

    /// 20 ms of exchange, 12 of them before the backward pass ends.
    @Test func whatTheBackwardPassHides() throws {
        let spans = [span("b", .backward, 0, 100)]
        let exchanges = [span("bucket 1", .exchange, 80, 10), span("bucket 2", .exchange, 98, 10)]
        let summary = try #require(ExchangeSummary(spans, exchanges: exchanges))
        #expect(summary.buckets == 2 && abs(summary.seconds - 0.02) < 1e-9 && abs(summary.hidden - 0.012) < 1e-9)
        #expect(summary.text.hasPrefix("Gradients: 2 buckets, 20.00 ms of exchange per step, 12.00 ms of it"))
        #expect(ExchangeSummary(spans, exchanges: []) == nil)
        #expect(!summary.text.contains("next forward pass"))
    }

    /// Of the second bucket's 20 ms, the next forward pass computes for 3 + 5 and waits for the rest.
    @Test func whatTheNextForwardPassHides() throws {
        let spans = [
            span("b", .backward, 0, 100), span("a", .forward, 104, 3, step: 1), span("b", .forward, 113, 9, step: 1),
        ]
        let exchanges = [span("bucket 2", .exchange, 95, 3), span("bucket 1", .exchange, 98, 20)]
        let summary = try #require(ExchangeSummary(spans, exchanges: exchanges))
        #expect(abs(summary.hidden - 0.005) < 1e-9 && abs(summary.hiddenByNext - 0.008) < 1e-9)
        #expect(summary.text.hasSuffix("8.00 ms by the next forward pass"))
    }
}
