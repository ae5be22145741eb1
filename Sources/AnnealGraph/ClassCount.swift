import AnnealCore

/// Refuses numbers that cannot be a number of classes. Labels are float32, as in MXNet, which is exact up to 2^24.
package func checkClassCount(_ count: Int) throws {
    guard (1...1 << 24).contains(count) else {
        throw AnnealError(
            "--num-classes \(count)", "is not a number of classes",
            suggestion: "it must be at least 1, at most 16777216")
    }
}
