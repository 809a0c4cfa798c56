import { describe, expect, it } from "vitest";
import { geometricMean, quantile, ratioOf, summarise } from "../../bench/report/statistics.ts";

describe("statistics of the benchmarks", () => {
  it("takes quantiles by nearest rank", () => {
    const ascending = Float64Array.from({ length: 200 }, (_, index) => index + 1);
    expect([0.5, 0.99, 0.999, 1].map((share) => quantile(ascending, share))).toEqual([100, 198, 200, 200]);
    expect(quantile(new Float64Array(), 0.5)).toBeNaN();
  });

  it("summarises an even number of values by the mean of the middle two", () => {
    expect(summarise([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
    expect(summarise([])).toBeUndefined();
  });

  it("averages ratios so that a half and a double are even", () => {
    expect(geometricMean([0.5, 2])).toBeCloseTo(1, 12);
  });

  it("gives the 95 % interval of Student's t on the logarithms of ratios", () => {
    // Logarithms -0.1, 0 and 0.1: standard error 0.1 / √3, and t = 4.303 with two degrees of freedom.
    const ratio = ratioOf([Math.exp(-0.1), 1, Math.exp(0.1)]);
    expect(ratio?.mean).toBeCloseTo(1, 12);
    expect(Math.log(ratio?.high ?? 0)).toBeCloseTo((4.303 * 0.1) / Math.sqrt(3), 12);
    expect(Math.log(ratio?.low ?? 0)).toBeCloseTo((-4.303 * 0.1) / Math.sqrt(3), 12);
  });

  it("claims no interval of a single round", () => {
    expect(ratioOf([1.25])).toEqual({ mean: expect.closeTo(1.25, 12) });
    expect(ratioOf([])).toBeUndefined();
  });
});
