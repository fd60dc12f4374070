// provider/hotel_data_service.h: HotelDataAPI, the third party that the search asks about hotels. It stands
// for somebody else's service, so it shares no code with the backend beyond the kit.
//
//   GET /v1/hotels?ids=1,2,3    facts
//   GET /health                 200, or what the present behaviour makes of it
//   GET, PUT /admin/behaviour   how it behaves (provider/behaviour.h); from this host only
// Threads: the worker's one.
#pragma once

#include <memory>

#include "service/program.h"

namespace lastminutestay {

std::unique_ptr<daruma::service::Service> make_hotel_data_service(daruma::service::Worker& worker);

}  // namespace lastminutestay
