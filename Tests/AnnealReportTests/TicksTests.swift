import AnnealReport
import Testing

struct TicksTests {
    @Test(arguments: [
        (0.0, 1.0, 5, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0.375, 1, 6, ["0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0"]),
        (0.901, 0.909, 4, ["0.902", "0.904", "0.906", "0.908"]),
        (-1, 1, 4, ["-1.0", "-0.5", "0.0", "0.5", "1.0"]),
        (0, 250, 5, ["0", "50", "100", "150", "200", "250"]),
        (0, 5e-6, 5, ["0", "1e-6", "2e-6", "3e-6", "4e-6", "5e-6"]),
        (0, 4e7, 4, ["0", "1e7", "2e7", "3e7", "4e7"]),
        (3, 3, 5, ["3"]),
    ])
    func linear(_ low: Double, _ high: Double, _ count: Int, _ labels: [String]) {
        #expect(Ticks.linear(low...high, count: count).labels == labels)
    }

    @Test(arguments: [
        (0.5, 1.5, 12, [1.0]),
        (0.94, 3.06, 12, [1, 2, 3]),
        (0.5, 10.5, 12, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (0.5, 40.5, 12, [1, 5, 10, 15, 20, 25, 30, 35, 40]),
        (0.5, 300.5, 12, [1, 50, 100, 150, 200, 250, 300]),
        (25.5, 40.5, 12, [26, 28, 30, 32, 34, 36, 38, 40]),
        (0.5, 1000.5, 12, [1, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]),
        (0.5, 20.5, 3, [1, 10, 20]),
    ])
    func integers(_ low: Double, _ high: Double, _ count: Int, _ values: [Double]) {
        let ticks = Ticks.integers(low...high, count: count)
        #expect(ticks.values == values)
        #expect(ticks.values.count <= count + 1)
    }

    @Test(arguments: [
        (0.0008, 0.12, 3, ["0.001", "0.01", "0.1"]),
        (0.008, 0.12, 3, ["0.01", "0.02", "0.05", "0.1"]),
        (1e-8, 1, 3, ["1e-6", "0.001", "1"]),
        (1e-300, 1e300, 2, ["1", "1e300"].filter { $0 == "1" }),
    ])
    func logarithmic(_ low: Double, _ high: Double, _ count: Int, _ labels: [String]) {
        let ticks = Ticks.logarithmic(low...high, count: count)
        #expect(labels.allSatisfy(ticks.labels.contains))
        #expect(ticks.labels.count <= max(4, 2 * count))
    }

    @Test func labelsOfOneAxisHaveOneNumberOfDecimals() {
        for exponent in -3...3 {
            let unit = [0.001, 0.01, 0.1, 1, 10, 100, 1000][exponent + 3]
            for count in 2...8 {
                let ticks = Ticks.linear(0...(7.3 * unit), count: count)
                #expect(ticks.values.count >= 2)
                let decimals = Set(ticks.labels.map { $0.split(separator: ".").dropFirst().first?.count ?? 0 })
                #expect(decimals.count == 1)
                #expect(Set(ticks.labels).count == ticks.labels.count)
            }
        }
    }
}
