// HotelDataAPI, the third party, asked through a circuit breaker.
import CircuitBreaker from 'opossum';

const MEMBERS = ['rating', 'reviews', 'photos', 'amenities', 'hint'];

export function hotelData(providerUrl, breakerSettings) {
  async function ask(ids) {
    const answer = await fetch(`${providerUrl}/v1/hotels?ids=${ids.join(',')}`, {
      signal: AbortSignal.timeout(breakerSettings.timeout + 50), // opossum's own timeout does not end the call
    });
    if (answer.status !== 200) throw new Error(`HotelDataAPI answered ${answer.status}`);
    const { hotels } = await answer.json();
    return new Map(hotels.map((hotel) =>
      [hotel.id, Object.fromEntries(MEMBERS.filter((name) => name in hotel).map((name) => [name, hotel[name]]))]));
  }
  return new CircuitBreaker(ask, { name: 'HotelDataAPI', ...breakerSettings });
}

export function breakerView(breaker) {
  const { fires, failures, rejects, timeouts } = breaker.stats;
  return {
    name: breaker.name, state: breaker.opened ? 'open' : breaker.halfOpen ? 'half-open' : 'closed',
    calls: fires - rejects, failures: failures + timeouts, notPermitted: rejects,
  };
}
